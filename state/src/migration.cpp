#include <tidemark/state/migration.hpp>

#include <algorithm>
#include <utility>

#include <tidemark/core/detail/thrown.hpp>
#include <tidemark/core/file_system.hpp>
#include <tidemark/state/store.hpp>

namespace tidemark {
inline namespace v0 {

namespace {

// Rows of one file; what is sorted is written as it comes.
constexpr std::size_t kRowFileBytes = std::size_t{32} << 20;

Error unsound(std::string message, const Migration& step, std::string why, std::string fix) {
  return Error{.code = ErrorCode::kBadGraph,
               .message = std::move(message),
               .facts = {{"from", step.from}, {"to", step.to}},
               .why = std::move(why),
               .fix = std::move(fix)};
}

// Removes what the first step is for from the front of `old` and appends what the last one makes of it. false: it is not there.
bool take_through(std::span<const Migration> steps, ByteView& old, Bytes& out) {
  if (steps.size() == 1) return steps.front().convert(old, out);
  Bytes value;
  Bytes made;
  for (const Migration& step : steps) {
    made.clear();
    ByteView before = value;
    if (!step.convert(&step == &steps.front() ? old : before, made) || !before.empty()) return false;
    value.swap(made);
  }
  out += value;
  return true;
}

using Paths = std::vector<std::vector<Migration>>;

// For each part from `at` on, the path from the schema that `from`, the rest of the value's old schema, has in its place: none where that
// is the same as now. A schema may hold any characters, so what stands there is not parsed but compared with all that it could be.
std::optional<Paths> paths_of_parts(std::span<const Migration> steps, std::string_view from, const ValueParts& value, std::size_t at) {
  if (!from.starts_with(value.text[at])) return std::nullopt;
  from.remove_prefix(value.text[at].size());
  if (at == value.parts.size()) return from.empty() ? std::optional<Paths>{Paths{}} : std::nullopt;
  const auto with = [&](std::string_view schema, std::vector<Migration> path) -> std::optional<Paths> {
    if (!from.starts_with(schema)) return std::nullopt;
    std::optional<Paths> rest = paths_of_parts(steps, from.substr(schema.size()), value, at + 1);
    if (rest) rest->insert(rest->begin(), std::move(path));
    return rest;
  };
  const std::string& wanted = value.parts[at].schema;
  std::optional<Paths> found = with(wanted, {});
  for (auto step = steps.begin(); step != steps.end() && !found; ++step) {
    if (step->from == wanted) continue;
    if (auto path = migration_path(steps, step->from, wanted)) found = with(step->from, *std::move(path));
  }
  return found;
}

bool take_parts(const ValueParts& value, const Paths& paths, ByteView& old, Bytes& out) {
  std::uint64_t times = 1;
  if (value.repeated) {
    if (!take_varint(old, times)) return false;
    append_varint(out, times);
  }
  for (; times > 0; --times) {
    if (old.size() < value.head) return false;
    out += old.substr(0, value.head);
    old.remove_prefix(value.head);
    for (std::size_t i = 0; i < paths.size(); ++i) {
      if (!paths[i].empty()) {
        if (!take_through(paths[i], old, out)) return false;
        continue;
      }
      const ByteView before = old;
      if (!value.parts[i].skip(old)) return false;
      out += before.substr(0, before.size() - old.size());
    }
  }
  return true;
}

Status take_row_through(std::span<const Migration> steps, const std::string& state, ByteView old, Bytes& value) {
  value.clear();
  try {
    if (take_through(steps, old, value) && old.empty()) return {};
  } catch (...) {
    return Error{.code = ErrorCode::kUserFunction,
                 .message = "the migration of state " + state + " threw an exception",
                 .facts = {{"exception", core_internal::what_was_thrown()}},
                 .why = "without it the stored values cannot be read",
                 .fix = "correct the function given to migrate(); the checkpoint is as it was"};
  }
  return Error{.code = ErrorCode::kCheckpointCorrupt,
               .message = "a row of state " + state + " cannot be decoded",
               .facts = {{"schema", steps.front().from}},
               .why = "its bytes are not what this schema writes",
               .fix = "restore an older checkpoint"};
}

}  // namespace

std::optional<std::vector<Migration>> migration_path(std::span<const Migration> steps, std::string_view from, std::string_view to) {
  // Breadth first; a reached step knows the one before it.
  constexpr std::size_t kNone = ~std::size_t{0};
  std::vector<std::pair<std::size_t, std::size_t>> reached;   // step, and where its predecessor is in this list
  std::vector<bool> seen(steps.size(), false);
  const auto reach = [&](std::string_view schema, std::size_t before) {
    for (std::size_t i = 0; i < steps.size(); ++i) {
      if (seen[i] || steps[i].from != schema) continue;
      seen[i] = true;
      reached.emplace_back(i, before);
    }
  };
  reach(from, kNone);
  for (std::size_t at = 0; at < reached.size(); ++at) {
    if (steps[reached[at].first].to != to) {
      reach(steps[reached[at].first].to, at);
      continue;
    }
    std::vector<Migration> path;
    for (std::size_t back = at; back != kNone; back = reached[back].second) path.push_back(steps[reached[back].first]);
    std::reverse(path.begin(), path.end());
    return path;
  }
  return std::nullopt;
}

std::optional<Migration> migration_of_parts(std::span<const Migration> steps, std::string_view from, const ValueParts& value) {
  std::optional<Paths> paths = paths_of_parts(steps, from, value, 0);
  if (!paths) return std::nullopt;
  std::string to = value.text.front();
  for (std::size_t i = 0; i < value.parts.size(); ++i) to += value.parts[i].schema + value.text[i + 1];
  return Migration{
      .from = std::string{from}, .to = std::move(to), .convert = [value, paths = *std::move(paths)](ByteView& old, Bytes& out) {
        return take_parts(value, paths, old, out);
      }};
}

Status check_migrations(std::span<const Migration> steps, std::span<const std::string> schemas) {
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const Migration& step = steps[i];
    if (step.from == step.to) {
      return unsound("a migration leads from a schema to itself", step,
                     "values of both types have the same bytes, so nobody could tell which of them are to be changed",
                     "change the structure as well, for example by one more field");
    }
    for (std::size_t j = 0; j < i; ++j) {
      if (steps[j].from == step.from && steps[j].to == step.to) {
        return unsound("two migrations lead from one schema to the same other one", step, "it cannot be known which of them is meant",
                       "leave one out");
      }
    }
    const bool leads = std::any_of(schemas.begin(), schemas.end(), [&](const std::string& schema) {
      return step.to == schema || migration_path(steps, step.to, schema).has_value();
    });
    if (leads) continue;
    Error error = unsound("a migration leads to no state of its operator", step, "it would never be applied",
                          "let it return a type that the operator stores, or one that another migration takes");
    for (const std::string& schema : schemas) error.facts.emplace_back("stored", schema);
    return error;
  }
  return {};
}

Status migrate_rows(FileSystem& files, StoredRows& rows, StateStore& store, StateId id, bool stamped, const std::string& state,
                    std::span<const Migration> steps, const std::string& directory) {
  std::vector<RowFile> row_files;
  RowRun run;
  const auto write_run = [&]() -> Status {
    const std::string path = join_path(directory, "migration-" + std::to_string(id) + "-" + std::to_string(row_files.size()) + ".sst");
    TIDEMARK_ASSIGN(RowFile written, write_row_file(files, path, std::exchange(run, RowRun{})));
    row_files.push_back(std::move(written));
    return {};
  };
  Bytes prefix;
  append_u16_big_endian(prefix, id);
  const std::size_t stamp = stamped ? sizeof(std::int64_t) : 0;
  Bytes value;
  Bytes row;
  const Status scanned = rows.scan(prefix, [&](ByteView key, ByteView old) -> Status {
    const ByteView written = old.substr(0, std::min(stamp, old.size()));
    TIDEMARK_TRY(take_row_through(steps, state, old.substr(written.size()), value));
    row.assign(written);
    run.put(key, row.append(value));
    return run.bytes() < kRowFileBytes ? Status{} : write_run();
  });
  TIDEMARK_TRY(scanned);
  if (run.rows() > 0) TIDEMARK_TRY(write_run());
  return store.ingest(row_files);
}

}  // namespace v0
}  // namespace tidemark
