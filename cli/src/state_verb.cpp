#include "src/state_verb.hpp"

#include <algorithm>
#include <cstdio>
#include <functional>
#include <map>
#include <memory>
#include <unordered_map>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include <tidemark/checkpoint/layout.hpp>
#include <tidemark/core/file_system.hpp>
#include <tidemark/core/hash.hpp>
#include <tidemark/core/names.hpp>
#include <tidemark/state/component.hpp>
#include <tidemark/state/store.hpp>

#include "src/checkpoint_choice.hpp"
#include "src/manifest_text.hpp"
#include "src/output.hpp"
#include "src/run_verb.hpp"
#include "src/state_rows.hpp"

namespace tidemark {
inline namespace v0 {
namespace cli_internal {

namespace {

using Align = Table::Align;
using Visit = std::function<Status(ByteView key, ByteView value)>;

struct OpenedCheckpoint {
  std::string path;
  Manifest manifest;
  std::unique_ptr<StoredRows> rows;

  Status scan(ByteView prefix, const Visit& visit) const {
    const Status status = rows->scan(prefix, visit);
    return status.ok() ? status : reason_or_removal(path, status.error());
  }
};

Result<OpenedCheckpoint> open_checkpoint(const StateQuery& query) {
  TIDEMARK_ASSIGN(ChosenCheckpoint chosen, find_checkpoint(query.directory, query.checkpoint));
  OpenedCheckpoint opened{.path = std::move(chosen.path), .manifest = std::move(chosen.manifest), .rows = {}};
  const Manifest& manifest = opened.manifest;
  auto rows = open_stored_rows(posix_file_system(), store_in(opened.path), manifest.files, dropped_rows(manifest), {});
  if (!rows.ok()) return reason_or_removal(opened.path, rows.error());
  opened.rows = *std::move(rows);
  return opened;
}

Error no_such(const std::string& what, const std::string& name, const std::vector<std::string>& known) {
  std::string list;
  for (const std::string& each : known) list += (list.empty() ? "" : ", ") + each;
  const std::string near = nearest(name, known);
  return Error{.code = ErrorCode::kUsage,
               .message = "there is no " + what + " \"" + name + "\" in this checkpoint",
               .facts = {{"known", list.empty() ? "none" : list}},
               .fix = near.empty() ? "see `state ls`" : "did you mean " + near + "? See `state ls`"};
}

// Lives in the manifest.
Result<const StateEntry*> state_asked_for(const Manifest& manifest, const StateQuery& query) {
  const OperatorEntry* entry = find_operator(manifest.operators, query.operator_name);
  std::vector<std::string> known;
  if (entry == nullptr) {
    for (const OperatorEntry& each : manifest.operators) {
      if (!each.states.empty()) known.push_back(each.name);
    }
    return no_such("operator with state", query.operator_name, known);
  }
  if (const StateEntry* state = find_state(*entry, query.state)) return state;
  for (const StateEntry& each : entry->states) known.push_back(each.name);
  return no_such("state of operator " + query.operator_name, query.state, known);
}

// Visits the items of a list without a key, which are in the manifest, task by task. Returns how many lists are malformed.
std::uint64_t each_item(const Manifest& manifest, const std::string& operator_name,
                        const std::function<void(std::uint32_t subtask, std::uint64_t index, ByteView item)>& visit) {
  std::uint64_t malformed = 0;
  for (const TaskEntry& task : manifest.tasks) {
    for (const OperatorMeta& meta : task.operators) {
      if (meta.operator_name != operator_name) continue;
      ByteView list = meta.state;
      ByteView item;
      for (std::uint64_t index = 0; !list.empty(); ++index) {
        if (!take_sized(list, item)) {
          ++malformed;
          break;
        }
        visit(task.subtask, index, item);
      }
    }
  }
  return malformed;
}

Error no_keys(const StateQuery& query) {
  return Error{.code = ErrorCode::kUsage,
               .message = "the list " + query.operator_name + "/" + query.state + " has no keys",
               .fix = "see `state scan`"};
}

// The end of every verb: what was shown is complete, and all of it made sense.
int end_with(Status status, std::uint64_t malformed) {
  if (status.ok()) status = flush_output();
  if (!status.ok()) return report(status.error());
  if (malformed == 0) return kExitDone;
  return report({.code = ErrorCode::kCheckpointCorrupt,
                 .message = fmt::format("{} keys and values are not what their schema writes", malformed),
                 .why = "they are shown as \"malformed\", in hex",
                 .fix = "see `checkpoints verify`"});
}

// --- ls

struct StateTotals {
  std::uint64_t rows = 0;
  std::uint64_t bytes = 0;     // of row keys and values, as encoded
  std::uint64_t times = 0;     // different ones, of timed states
  EventTime first{};
  EventTime last{};
};

// The rows of a state come in order of time.
void count_row(const RowReader& reader, StateTotals& totals, ByteView row_key, ByteView value) {
  const std::optional<RowKey> row = reader.split(row_key);
  if (row && reader.state().timed) {
    if (totals.times == 0) totals.first = row->time;
    if (totals.times == 0 || totals.last != row->time) ++totals.times;
    totals.last = row->time;
  }
  ++totals.rows;
  totals.bytes += row_key.size() + value.size();
}

struct StateLine {
  const OperatorEntry* entry;
  RowReader reader;
  StateTotals totals;
};

std::string line_json(const StateLine& line) {
  const StateEntry& state = line.reader.state();
  std::string json = fmt::format(R"({{"operator":{},"state":{},"kind":{},"key":{},"value":{},"parameters":{},"rows":{},"bytes":{})",
                                 json_string(line.entry->name), json_string(state.name), json_string(state.kind), json_string(state.key),
                                 json_string(state.value), json_string(state.parameters), line.totals.rows, line.totals.bytes);
  if (!state.entry.empty()) json += R"(,"entry":)" + json_string(state.entry);
  if (state.stamped) json += fmt::format(R"(,"dropped_through":"{}")", to_string(state.dropped_through));
  if (state.timed) {
    json += fmt::format(R"(,"times":{},"dropped_through":"{}")", line.totals.times, to_string(state.dropped_through));
    if (line.totals.times > 0) {
      json += fmt::format(R"(,"first":"{}","last":"{}")", to_string(line.totals.first), to_string(line.totals.last));
    }
  }
  return json + '}';
}

Status print_lists_json(const Manifest& manifest, const std::vector<StateLine>& lines) {
  TIDEMARK_TRY(write_line(fmt::format(R"({{"checkpoint":{},"job":{}}})", manifest.checkpoint, json_string(manifest.job))));
  for (const StateLine& line : lines) TIDEMARK_TRY(write_line(line_json(line)));
  for (const SourceEntry& source : manifest.sources) {
    for (const SplitEntry& split : source.splits) TIDEMARK_TRY(write_line(split_json(source, split)));
  }
  for (const TaskEntry& task : manifest.tasks) {
    for (const InputEntry& input : task.inputs) {
      TIDEMARK_TRY(
          write_line(fmt::format(R"({{"task":{},"subtask":{},{}}})", json_string(task.task), task.subtask, input_fields(input))));
    }
  }
  return {};
}

Status print_lists(const Manifest& manifest, const std::vector<StateLine>& lines) {
  TIDEMARK_TRY(
      write_line(fmt::format("checkpoint {} of job {}, created {}\n", manifest.checkpoint, manifest.job, created_text(manifest))));
  Table states({{"OPERATOR"}, {"STATE"}, {"KIND"}, {"ROWS", Align::kRight}, {"BYTES", Align::kRight}, {"TIMES", Align::kRight},
                {"FIRST"}, {"LAST"}, {"SCHEMA"}});
  for (const StateLine& line : lines) {
    const StateEntry& state = line.reader.state();
    const bool has_times = line.totals.times > 0;
    std::string schema = state.key + (state.entry.empty() ? "" : ", " + state.entry);
    if (!state.value.empty()) schema += (schema.empty() ? "" : " -> ") + state.value;
    states.add({line.entry->name, state.name, state.kind, std::to_string(line.totals.rows), std::to_string(line.totals.bytes),
                state.timed ? std::to_string(line.totals.times) : "-", has_times ? to_string(line.totals.first) : "-",
                has_times ? to_string(line.totals.last) : "-", std::move(schema)});
  }
  TIDEMARK_TRY(states.print());
  TIDEMARK_TRY(write_line(""));
  Table sources({{"SOURCE"}, {"SPLIT"}, {"POSITION"}, {"STATE"}});
  for (const SourceEntry& source : manifest.sources) {
    for (const SplitEntry& split : source.splits) {
      sources.add({source.operator_name, split.name, hex_text(split.position), split.finished ? "finished" : "open"});
    }
  }
  TIDEMARK_TRY(sources.print());
  TIDEMARK_TRY(write_line(""));
  Table watermarks({{"TASK"}, {"SUBTASK", Align::kRight}, {"INPUT"}, {"WATERMARK"}, {"STATE"}});
  for (const TaskEntry& task : manifest.tasks) {
    for (const InputEntry& input : task.inputs) {
      watermarks.add({task.task, std::to_string(task.subtask), input.channel, to_string(input.watermark),
                      input.finished ? "finished" : input.idle ? "idle" : "open"});
    }
  }
  return watermarks.print();
}

// --- rows

// A table of rows: the columns that the kind of the state has.
class RowTable {
 public:
  explicit RowTable(RowReader& reader) : reader_(reader), table_(columns(reader)) {}

  void add(ByteView row_key, ByteView value) {
    const std::optional<RowKey> row = reader_.split(row_key);
    std::vector<std::string> cells;
    if (reader_.state().timed) cells.push_back(row ? to_string(row->time) : "?");
    cells.push_back(row ? reader_.key_json(row->key) : reader_.row_json(row_key, value));
    if (reader_.has_entry()) cells.push_back(row ? reader_.entry_json(row->entry) : "?");
    if (reader_.has_tag() || reader_.has_number() || reader_.has_generation()) cells.push_back(row ? std::to_string(row->rest) : "?");
    if (reader_.state().stamped) {
      const std::optional<EventTime> written = reader_.written(value);
      cells.push_back(written ? to_string(*written) : "?");
    }
    if (reader_.has_value()) cells.push_back(row ? reader_.value_json(value) : "?");
    table_.add(std::move(cells));
  }
  Status print() const { return table_.print(); }

 private:
  static std::vector<Table::Column> columns(const RowReader& reader) {
    std::vector<Table::Column> columns;
    if (reader.state().timed) columns.push_back({"TIME"});
    columns.push_back({"KEY"});
    if (reader.has_entry()) columns.push_back({"ENTRY"});
    if (reader.has_tag()) columns.push_back({"TAG", Align::kRight});
    if (reader.has_number()) columns.push_back({"NUMBER", Align::kRight});
    if (reader.has_generation()) columns.push_back({"GENERATION", Align::kRight});
    if (reader.state().stamped) columns.push_back({"WRITTEN"});
    if (reader.has_value()) columns.push_back({"VALUE"});
    return columns;
  }

  RowReader& reader_;
  Table table_;
};

// Visits rows until `visit` wants no more.
Status scan_while(const OpenedCheckpoint& opened, ByteView prefix, const std::function<Result<bool>(ByteView key, ByteView value)>& visit) {
  bool enough = false;
  const Status status = opened.scan(prefix, [&](ByteView key, ByteView value) -> Status {
    TIDEMARK_ASSIGN(const bool more, visit(key, value));
    enough = !more;
    return enough ? Status{Error{}} : Status{};
  });
  return enough ? Status{} : status;
}

// Shows the first `limit` rows that `wanted` wants.
int show_rows(const OpenedCheckpoint& opened, RowReader& reader, ByteView prefix, bool json, std::uint64_t limit,
              const std::function<bool(ByteView row_key)>& wanted, std::uint64_t& shown) {
  RowTable table(reader);
  shown = 0;
  Status status;
  if (limit > 0) {
    status = scan_while(opened, prefix, [&](ByteView row_key, ByteView value) -> Result<bool> {
      if (!wanted(row_key)) return true;
      if (json) {
        TIDEMARK_TRY(write_line(reader.row_json(row_key, value)));
      } else {
        table.add(row_key, value);
      }
      return ++shown < limit;
    });
  }
  if (status.ok() && !json && shown > 0) status = table.print();
  return end_with(std::move(status), reader.malformed());
}

// Shows the first `limit` items of a list without a key.
int show_items(const Manifest& manifest, RowReader& reader, const StateQuery& query) {
  Table table({{"SUBTASK", Align::kRight}, {"INDEX", Align::kRight}, {"VALUE"}});
  Status status;
  std::uint64_t shown = 0;
  const std::uint64_t malformed = each_item(manifest, query.operator_name, [&](std::uint32_t subtask, std::uint64_t index, ByteView item) {
    if (shown == query.limit || !status.ok()) return;
    ++shown;
    const std::string value = reader.value_json(item);
    if (query.json) {
      status = write_line(fmt::format(R"({{"subtask":{},"index":{},"value":{}}})", subtask, index, value));
    } else {
      table.add({std::to_string(subtask), std::to_string(index), value});
    }
  });
  if (status.ok() && !query.json && shown > 0) status = table.print();
  return end_with(std::move(status), reader.malformed() + malformed);
}

constexpr std::uint64_t kNoLimit = ~std::uint64_t{0};

// --- top-keys

struct KeyTotals {
  Bytes key;
  std::uint64_t rows = 0;
  std::uint64_t bytes = 0;
};

bool is_larger(const KeyTotals& a, const KeyTotals& b) { return a.bytes != b.bytes ? a.bytes > b.bytes : a.key < b.key; }

// The largest `limit` keys of those that it is given.
class Largest {
 public:
  explicit Largest(std::uint64_t limit) : limit_(limit) {}
  void add(KeyTotals totals) {
    if (limit_ == 0 || (heap_.size() == limit_ && !is_larger(totals, heap_.front()))) return;
    heap_.push_back(std::move(totals));
    std::push_heap(heap_.begin(), heap_.end(), is_larger);   // the smallest is in front
    if (heap_.size() <= limit_) return;
    std::pop_heap(heap_.begin(), heap_.end(), is_larger);
    heap_.pop_back();
  }
  std::vector<KeyTotals> take() {
    std::sort_heap(heap_.begin(), heap_.end(), is_larger);
    return std::move(heap_);
  }

 private:
  std::uint64_t limit_;
  std::vector<KeyTotals> heap_;
};

}  // namespace

int list_state(const StateQuery& query) {
  const auto opened = open_checkpoint(query);
  if (!opened.ok()) return report(opened.error());
  std::vector<StateLine> lines;
  std::map<StateId, std::size_t> line_of;
  for (const OperatorEntry& entry : opened->manifest.operators) {
    for (const StateEntry& state : entry.states) {
      line_of[state.id] = lines.size();
      lines.push_back({.entry = &entry, .reader = RowReader(state), .totals = {}});
    }
  }
  std::uint64_t malformed = 0;
  for (StateLine& line : lines) {
    if (line.reader.state().kind != kOperatorList) continue;
    malformed += each_item(opened->manifest, line.entry->name, [&](std::uint32_t, std::uint64_t, ByteView item) {
      ++line.totals.rows;
      line.totals.bytes += item.size();
    });
  }
  std::uint64_t unknown = 0;
  Status status = opened->scan({}, [&](ByteView key, ByteView value) -> Status {
    StateId id = 0;
    ByteView rest = key;
    const auto line = take_u16_big_endian(rest, id) ? line_of.find(id) : line_of.end();
    if (line == line_of.end()) {
      ++unknown;
    } else {
      count_row(lines[line->second].reader, lines[line->second].totals, key, value);
    }
    return {};
  });
  if (unknown > 0) talk("{} rows belong to no state that the manifest lists\n", unknown);
  if (status.ok()) status = query.json ? print_lists_json(opened->manifest, lines) : print_lists(opened->manifest, lines);
  return end_with(std::move(status), malformed);
}

int get_state(const StateQuery& query) {
  const auto opened = open_checkpoint(query);
  if (!opened.ok()) return report(opened.error());
  const auto state = state_asked_for(opened->manifest, query);
  if (!state.ok()) return report(state.error());
  if ((*state)->kind == kOperatorList) return report(no_keys(query));
  RowReader reader(**state);
  const auto key = reader.key_schema().from_text(query.key);
  if (!key.ok()) return report(key.error());
  const std::uint64_t hash = hash_bytes(*key, opened->manifest.seed);
  reader.look_for(*key);
  std::uint64_t shown = 0;
  const auto wanted = [&](ByteView row_key) {
    const std::optional<RowKey> row = reader.split(row_key);
    return row && row->hash == hash && row->key == *key;
  };
  const int code = show_rows(*opened, reader, reader.prefix(hash, *key), query.json, kNoLimit, wanted, shown);
  if (code == kExitDone && shown == 0) {
    talk("checkpoint {} holds nothing for this key in {}/{}\n", opened->manifest.checkpoint, query.operator_name,
         query.state);
    return kExitFailed;
  }
  return code;
}

int scan_state(const StateQuery& query) {
  const auto opened = open_checkpoint(query);
  if (!opened.ok()) return report(opened.error());
  const auto state = state_asked_for(opened->manifest, query);
  if (!state.ok()) return report(state.error());
  RowReader reader(**state);
  if (reader.state().kind == kOperatorList) return show_items(opened->manifest, reader, query);
  std::uint64_t shown = 0;
  return show_rows(*opened, reader, reader.prefix(), query.json, query.limit, [](ByteView) { return true; }, shown);
}

int export_state(const StateQuery& query) {
  StateQuery all = query;
  all.json = true;
  all.limit = kNoLimit;
  return scan_state(all);
}

int show_top_keys(const StateQuery& query) {
  const auto opened = open_checkpoint(query);
  if (!opened.ok()) return report(opened.error());
  const auto state = state_asked_for(opened->manifest, query);
  if (!state.ok()) return report(state.error());
  if ((*state)->kind == kOperatorList) return report(no_keys(query));
  RowReader reader(**state);
  Largest largest(query.limit);
  std::unordered_map<Bytes, KeyTotals> by_key;   // of states whose keys have several rows
  std::uint64_t foreign = 0;
  Status status = opened->scan(reader.prefix(), [&](ByteView row_key, ByteView value) -> Status {
    const std::optional<RowKey> row = reader.split(row_key);
    if (!row) {
      ++foreign;
      return {};
    }
    const std::uint64_t bytes = row_key.size() + value.size();
    if (!reader.has_many_rows()) {
      largest.add({Bytes{row->key}, 1, bytes});
      return {};
    }
    KeyTotals& totals = by_key[Bytes{row->key}];
    ++totals.rows;
    totals.bytes += bytes;
    return {};
  });
  for (auto& [key, totals] : by_key) largest.add({key, totals.rows, totals.bytes});
  Table table({{"BYTES", Align::kRight}, {"ROWS", Align::kRight}, {"KEY"}});
  const std::vector<KeyTotals> found = largest.take();
  for (const KeyTotals& each : found) {
    if (!status.ok()) break;
    const std::string key = reader.key_json(each.key);
    if (query.json) {
      status = write_line(fmt::format(R"({{"key":{},"bytes":{},"rows":{}}})", key, each.bytes, each.rows));
    } else {
      table.add({std::to_string(each.bytes), std::to_string(each.rows), key});
    }
  }
  if (status.ok() && !query.json && !found.empty()) status = table.print();
  return end_with(std::move(status), reader.malformed() + foreign);
}

}  // namespace cli_internal
}  // namespace v0
}  // namespace tidemark
