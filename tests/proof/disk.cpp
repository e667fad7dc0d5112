#include "disk.hpp"

#include <algorithm>
#include <optional>

#include <tidemark/core/file_system.hpp>
#include <tidemark/core/random.hpp>

namespace tidemark::proof {

namespace {

constexpr std::size_t kSector = 512;
constexpr std::size_t kPage = 4096;

// Of what lies behind `synced`, a seeded mixture: each sector as it was written, zeros or garbage.
void spoil(Bytes& bytes, std::size_t synced, SeededRandom& random, bool only_garbage) {
  for (std::size_t begin = synced; begin < bytes.size();) {
    const std::size_t end = std::min(bytes.size(), (begin / kSector + 1) * kSector);
    const std::uint64_t fate = only_garbage ? 2 : random.next() % 3;
    for (std::size_t i = begin; i < end && fate != 0; ++i) bytes[i] = fate == 1 ? '\0' : static_cast<char>(random.next());
    begin = end;
  }
  if (!only_garbage && random.next() % 4 == 0) bytes.resize(synced + random.next() % (bytes.size() - synced + 1));
}

// Where a write of [begin, end) is torn.
std::size_t tear(std::size_t begin, std::size_t end, std::size_t unit, SeededRandom& random) {
  const std::size_t first = begin / unit + 1;   // the first unit that begins within the write
  const std::size_t last = (end - 1) / unit;
  return first > last ? begin : (first + random.next() % (last - first + 1)) * unit;
}

}  // namespace

std::string to_string(Variant variant) {
  switch (variant) {
    case Variant::kV1: return "V1";
    case Variant::kV2: return "V2";
    case Variant::kV3: return "V3";
    case Variant::kV3a: return "V3a";
    case Variant::kV4: return "V4";
    case Variant::kV4s: return "V4s";
    case Variant::kV4p: return "V4p";
    case Variant::kV5: return "V5";
    case Variant::kV5l: return "V5l";
    case Variant::kV5g: return "V5g";
    case Variant::kV6: return "V6";
  }
  return "";
}

Disk::Disk(const Tree& before) {
  make(true);
  for (const auto& [path, contents] : before) {
    const Number node = make(contents == nullptr);
    if (contents != nullptr) {
      nodes_[node].bytes = contents;
      nodes_[node].synced = contents->size();
    }
    set(path, node);
  }
  for (Node& node : nodes_) {
    node.lasting = node.names;
    node.unsynced.clear();
  }
}

Disk::Number Disk::make(bool directory) {
  nodes_.push_back({.directory = directory});
  return nodes_.size() - 1;
}

Disk::Number Disk::find(const std::string& path) const {
  Number at = 0;
  for (std::size_t begin = 0; begin < path.size();) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    const std::string name = path.substr(begin, end - begin);
    begin = end + 1;
    if (name.empty() || name == ".") continue;
    const auto found = nodes_[at].names.find(name);
    if (found == nodes_[at].names.end()) return kNone;
    at = found->second;
  }
  return at;
}

void Disk::change(const std::string& directory, Change change) {
  Node& node = nodes_[find(directory)];
  for (const auto& [name, means] : change) {
    if (means == kNone) {
      node.names.erase(name);
    } else {
      node.names[name] = means;
    }
  }
  node.unsynced.push_back(std::move(change));
}

bool Disk::set(const std::string& path, Number node) {
  change(parent_path(path), {{file_name(path), node}});
  return true;
}

bool Disk::rename(const std::string& from, const std::string& to) {
  const Number node = find(from);
  if (parent_path(from) == parent_path(to)) {
    change(parent_path(from), {{file_name(from), kNone}, {file_name(to), node}});
  } else {
    set(to, node);
    set(from, kNone);
  }
  return true;
}

bool Disk::apply(const Operation& operation) {
  ++operations_;
  switch (operation.kind) {
    case Operation::Kind::kMakeDirectory: return set(operation.path, make(true));
    case Operation::Kind::kCreate: return set(operation.path, files_[operation.file] = make(false));
    case Operation::Kind::kAppend: {
      Node& file = nodes_[files_.at(operation.file)];
      if (operation.data.empty()) return false;
      file.last_append = file.bytes->size();
      file.appended = operations_;
      file.bytes = std::make_shared<const Bytes>(*file.bytes + operation.data);
      return true;
    }
    case Operation::Kind::kSync: {
      Node& file = nodes_[files_.at(operation.file)];
      return std::exchange(file.synced, file.bytes->size()) != file.bytes->size();
    }
    case Operation::Kind::kLink: return set(operation.to, find(operation.path));
    case Operation::Kind::kRename: return rename(operation.path, operation.to);
    case Operation::Kind::kRemoveFile:
    case Operation::Kind::kRemoveDirectory: return find(operation.path) != kNone && set(operation.path, kNone);
    case Operation::Kind::kSyncDirectory: {
      Node& directory = nodes_[find(operation.path)];
      if (directory.unsynced.empty()) return false;
      directory.unsynced.clear();
      directory.lasting = directory.names;
      return true;
    }
  }
  return false;
}

Tree Disk::crash(Variant variant, std::uint64_t seed) const {
  SeededRandom random(seed);
  // The write that is torn, if any: the last one of all that were not synced.
  Number torn = kNone;
  if (variant == Variant::kV4 || variant == Variant::kV4s || variant == Variant::kV4p) {
    for (Number i = 0; i < nodes_.size(); ++i) {
      const bool unsynced = !nodes_[i].directory && nodes_[i].synced < nodes_[i].bytes->size();
      if (unsynced && (torn == kNone || nodes_[i].appended > nodes_[torn].appended)) torn = i;
    }
  }
  const auto names_of = [&](const Node& node) {
    if (variant == Variant::kV2 || variant == Variant::kV6) return node.lasting;
    if (variant != Variant::kV5 && variant != Variant::kV5l) return node.names;
    Names names = node.lasting;
    for (const Change& change : node.unsynced) {
      const bool arrived = variant == Variant::kV5 ? random.next() % 2 != 0 : &change == &node.unsynced.back();
      if (!arrived) continue;
      for (const auto& [name, means] : change) {
        if (means == kNone) {
          names.erase(name);
        } else {
          names[name] = means;
        }
      }
    }
    return names;
  };
  const auto content_of = [&](Number number) {
    const Node& node = nodes_[number];
    if (node.synced == node.bytes->size()) return node.bytes;
    Bytes bytes = *node.bytes;
    switch (variant) {
      case Variant::kV1:
      case Variant::kV5l:
      case Variant::kV6: break;
      case Variant::kV2:
      case Variant::kV3a: bytes.resize(node.synced); break;
      case Variant::kV3: std::fill(bytes.begin() + static_cast<std::ptrdiff_t>(node.synced), bytes.end(), '\0'); break;
      case Variant::kV4:
        if (number == torn) bytes.resize(tear(node.last_append, bytes.size(), 1, random));
        break;
      case Variant::kV4s:
        if (number == torn) bytes.resize(tear(node.last_append, bytes.size(), kSector, random));
        break;
      case Variant::kV4p:
        if (number == torn) {
          const std::size_t kept = tear(node.last_append, bytes.size(), kPage, random);
          std::fill(bytes.begin() + static_cast<std::ptrdiff_t>(kept), bytes.end(), '\0');
        }
        break;
      case Variant::kV5: spoil(bytes, node.synced, random, false); break;
      case Variant::kV5g: spoil(bytes, node.synced, random, true); break;
    }
    return std::make_shared<const Bytes>(std::move(bytes));
  };
  Tree tree;
  std::vector<std::pair<Number, std::string>> directories{{0, ""}};
  std::map<Number, std::shared_ptr<const Bytes>> contents;   // hard links are one file, whatever became of it
  while (!directories.empty()) {
    const auto [number, path] = directories.back();
    directories.pop_back();
    for (const auto& [name, means] : names_of(nodes_[number])) {
      const std::string below = path.empty() ? name : path + "/" + name;
      auto& entry = tree[below];
      if (nodes_[means].directory) {
        directories.emplace_back(means, below);
        continue;
      }
      auto& content = contents[means];
      if (content == nullptr) content = content_of(means);
      entry = content;
    }
  }
  return tree;
}

Tree crash_tree(const Tree& before, const Log& log, std::size_t operations, Variant variant, std::uint64_t seed) {
  Disk disk(before);
  for (std::size_t i = 0; i < operations; ++i) disk.apply(log[i]);
  return disk.crash(variant, seed);
}

}  // namespace tidemark::proof
