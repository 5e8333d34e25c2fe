#include "services/gateway/projector.h"

#include <charconv>
#include <utility>
#include <vector>

#include "lib/bus/subjects.h"
#include "lib/core/status.h"

namespace sealane::gateway {
namespace {

// "<sequence> <created micros> <stored micros>"; the last one may be missing.
constexpr std::string_view kOriginHeader = "Sealane-Origin";

bool Newer(const Origin& a, const Origin& b) {
  return a.created_micros != b.created_micros || a.sequence > b.sequence;
}

}  // namespace

Origin OriginOf(const BusMessage& copy) {
  const std::string_view text = copy.Header(kOriginHeader);
  Origin origin;
  const char* at = text.data();
  const char* const end = at + text.size();
  const auto next = [&](auto& number) {
    const auto read = std::from_chars(at, end, number);
    at = read.ec == std::errc() && read.ptr != end ? read.ptr + 1 : end;
  };
  next(origin.sequence);
  next(origin.created_micros);
  next(origin.stored_micros);
  return origin;
}

Projector::Projector(Bus& bus, Env env, Counter& copied)
    : bus_(bus), env_(env), copied_(copied), executor_(env.executor) {
  tables_[0].name = kObjectsTable;
  tables_[1].name = kAppStatusTable;
  tables_[2].name = kClusterStatusTable;
}

Projector::~Projector() = default;

void Projector::Start() {
  WatchOptions options;
  options.stream = kApiTable;
  watch_ = bus_.Watch(options, [this](const WatchEvent& event) { OnCopy(event); });
}

void Projector::OnCopy(const WatchEvent& event) {
  switch (event.type) {
    case WatchEvent::Type::kReset:
      // What was copied is read again; until then nothing is written.
      if (following_) return Restart("the stream of copies is read again");
      return;
    case WatchEvent::Type::kSynced: {
      if (following_) return;
      following_ = true;
      for (Table& table : tables_) {
        WatchOptions options;
        options.stream = table.name;
        table.watch =
            bus_.Watch(options, [this, &table](const WatchEvent& row) { OnRow(table, row); });
      }
      return;
    }
    default:
      break;
  }
  // Its own writes come round, too.
  Copy& copy = copies_[event.message.subject];
  if (event.message.sequence <= copy.sequence) return;
  copy.sequence = event.message.sequence;
  if (copy.writing) return;
  copy.origin = OriginOf(event.message);
  copy.gone = event.type == WatchEvent::Type::kDelete;
}

void Projector::OnRow(Table& table, const WatchEvent& event) {
  switch (event.type) {
    case WatchEvent::Type::kReset:
      table.created_micros = event.stream_created_micros;
      table.seen.clear();
      table.replaying = true;
      return;
    case WatchEvent::Type::kSynced:
      if (std::exchange(table.replaying, false)) RemoveUnseen(table, event.last_sequence);
      return;
    default:
      break;
  }
  const std::string subject = StrCat(kApiTable, ".", event.message.subject);
  if (table.replaying) table.seen.insert(subject);
  Row row;
  row.origin = {event.message.sequence, table.created_micros, event.message.stored_micros};
  row.payload = event.message.payload;
  row.gone = event.type == WatchEvent::Type::kDelete;
  Offer(subject, std::move(row));
}

void Projector::RemoveUnseen(Table& table, uint64_t last_sequence) {
  const std::string prefix = StrCat(kApiTable, ".", table.name, ".");
  std::vector<std::string> unseen;
  for (const auto& [subject, copy] : copies_) {
    if (subject.starts_with(prefix) && !table.seen.contains(subject)) unseen.push_back(subject);
  }
  table.seen.clear();
  for (const std::string& subject : unseen) {
    Row row;
    row.origin = {last_sequence, table.created_micros, 0};
    row.gone = true;
    Offer(subject, std::move(row));
  }
}

void Projector::Offer(const std::string& subject, Row row) {
  Copy& copy = copies_[subject];
  if (!copy.writing) {
    if (!Newer(row.origin, copy.origin) || (row.gone && (copy.gone || copy.sequence == 0))) return;
    return Write(subject, copy, std::move(row));
  }
  if (Newer(row.origin, copy.next.has_value() ? copy.next->origin : copy.origin)) {
    copy.next = std::move(row);
  }
}

void Projector::Write(const std::string& subject, Copy& copy, Row row) {
  copy.writing = true;
  copy.origin = row.origin;
  copy.gone = row.gone;
  AppendRequest request;
  request.subject = subject;
  request.remove = row.gone;
  request.payload = std::move(row.payload);
  request.headers.emplace_back(
      kOriginHeader,
      StrCat(row.origin.sequence, " ", row.origin.created_micros, " ", row.origin.stored_micros));
  // Nobody else may have written since: only one process copies.
  request.expected_last_sequence = copy.sequence;
  copied_.Increment();
  bus_.Append(std::move(request), [this, subject, run = run_, alive = executor_.alive()](
                                      const absl::StatusOr<Appended>& appended) {
    if (alive.expired() || run != run_) return;
    if (!appended.ok()) return Restart(ToStd(appended.status().message()));
    Copy& copy = copies_[subject];
    copy.writing = false;
    copy.sequence = std::max(copy.sequence, appended->sequence);
    if (!copy.next.has_value()) return;
    Row next = *std::move(copy.next);
    copy.next.reset();
    Write(subject, copy, std::move(next));
  });
}

// With fresh eyes: what is durable is what counts.
void Projector::Restart(std::string_view why) {
  if (std::exchange(restarting_, true)) return;
  log_.Info("copying begins again", {{"why", std::string(why)}});
  ++run_;
  executor_.After(absl::Milliseconds(200), [this] {
    restarting_ = false;
    following_ = false;
    for (Table& table : tables_) table.watch.reset();
    watch_.reset();
    copies_.clear();
    Start();
  });
}

}  // namespace sealane::gateway
