#include "lib/bus/memory_streams.h"

#include <algorithm>

#include "lib/bus/subjects.h"
#include "lib/core/status.h"
#include "lib/core/time.h"

namespace sealane {
namespace {

int64_t SizeOf(const BusMessage& message) {
  size_t size = message.subject.size() + message.payload.size() + 22;
  for (const auto& header : message.headers) size += header.first.size() + header.second.size() + 4;
  return static_cast<int64_t>(size);
}

}  // namespace

const BusMessage* MemoryStreams::Stream::Last(std::string_view subject) const {
  const auto it = by_subject.find(subject);
  if (it == by_subject.end() || it->second.empty()) return nullptr;
  return &messages.at(*it->second.rbegin());
}

const BusMessage* MemoryStreams::Stream::Replaced(std::string_view subject) const {
  const auto it = by_subject.find(subject);
  if (!config.last_per_subject || it == by_subject.end()) return nullptr;
  const bool full = it->second.size() >= static_cast<size_t>(config.history);
  return full && !it->second.empty() ? &messages.at(*it->second.begin()) : nullptr;
}

std::vector<const BusMessage*> MemoryStreams::Stream::Replay(std::string_view filter, bool all,
                                                             uint64_t after) const {
  std::vector<const BusMessage*> found;
  for (auto it = messages.upper_bound(after); it != messages.end(); ++it) {
    const BusMessage& message = it->second;
    if (!filter.empty() && !SubjectMatches(filter, message.subject)) continue;
    if (!all && *by_subject.at(message.subject).rbegin() != message.sequence) continue;
    found.push_back(&message);
  }
  return found;
}

absl::StatusOr<bool> MemoryStreams::Ensure(const StreamConfig& config, absl::Time now) {
  SEALANE_RETURN_IF_ERROR(Annotate(CheckName(config.name), "stream"));
  if (config.subjects.empty()) return InvalidArgument("a stream needs subjects");
  for (const std::string& subject : config.subjects) {
    SEALANE_RETURN_IF_ERROR(Annotate(CheckFilter(subject), "stream"));
  }
  const auto [it, created] = streams_.try_emplace(config.name);
  it->second.config = config;
  if (created) {
    last_created_micros_ = std::max(last_created_micros_ + 1, ToMicros(now));
    it->second.created_micros = last_created_micros_;
  }
  return created;
}

absl::StatusOr<Appended> MemoryStreams::Store(const AppendRequest& request, absl::Time now,
                                              const BusMessage** stored) {
  *stored = nullptr;
  Stream* stream = Of(request.subject);
  if (stream == nullptr) return Unavailable(StrCat("no stream has subject ", request.subject));
  Expire(*stream, now);
  if (!request.message_id.empty()) {
    const auto known = stream->message_ids.find(request.message_id);
    if (known != stream->message_ids.end()) return Appended{known->second, true};
  }
  const BusMessage* last = stream->Last(request.subject);
  if (request.expected_last_sequence &&
      *request.expected_last_sequence != (last == nullptr ? 0 : last->sequence)) {
    return absl::AbortedError(ToAbsl(
        StrCat("wrong last sequence of the subject: ", last == nullptr ? 0 : last->sequence)));
  }
  BusMessage message;
  message.subject = request.subject;
  message.headers = request.headers;
  if (!request.message_id.empty()) message.headers.emplace_back("Nats-Msg-Id", request.message_id);
  if (request.remove) {
    message.headers.emplace_back("KV-Operation", "DEL");
  } else {
    message.payload = request.payload;
  }
  message.stored_micros = ToMicros(now);
  const int64_t size = SizeOf(message);
  const BusMessage* replaced = stream->Replaced(request.subject);
  const int64_t freed = replaced == nullptr ? 0 : SizeOf(*replaced);
  if (stream->config.max_bytes >= 0) {
    while (stream->config.discard_old && !stream->messages.empty() &&
           stream->bytes + size > stream->config.max_bytes) {
      Erase(*stream, stream->messages.begin()->first);
    }
    if (stream->bytes + size - freed > stream->config.max_bytes) {
      return absl::ResourceExhaustedError(
          ToAbsl(StrCat("stream ", stream->config.name, " is full")));
    }
  }
  if (replaced != nullptr) Erase(*stream, replaced->sequence);
  message.sequence = ++stream->last_sequence;
  stream->bytes += size;
  stream->by_subject[message.subject].insert(message.sequence);
  if (!request.message_id.empty()) {
    stream->message_ids[request.message_id] = message.sequence;
    stream->message_id_ages.emplace_back(now, request.message_id);
  }
  const uint64_t sequence = message.sequence;
  *stored = &stream->messages.emplace(sequence, std::move(message)).first->second;
  return Appended{sequence, false};
}

MemoryStreams::Stream* MemoryStreams::Find(std::string_view name) {
  const auto it = streams_.find(name);
  return it == streams_.end() ? nullptr : &it->second;
}

MemoryStreams::Stream* MemoryStreams::Of(std::string_view subject) {
  // Nearly always the stream is named as the first token.
  const auto guess = streams_.find(subject.substr(0, subject.find('.')));
  const auto has = [&](const Stream& stream) {
    return std::any_of(stream.config.subjects.begin(), stream.config.subjects.end(),
                       [&](const std::string& filter) { return SubjectMatches(filter, subject); });
  };
  if (guess != streams_.end() && has(guess->second)) return &guess->second;
  for (auto& item : streams_) {
    if (has(item.second)) return &item.second;
  }
  return nullptr;
}

void MemoryStreams::Delete(std::string_view name) {
  const auto it = streams_.find(name);
  if (it != streams_.end()) streams_.erase(it);
}

void MemoryStreams::Recreate(std::string_view name, absl::Time now) {
  Stream* stream = Find(name);
  if (stream == nullptr) return;
  const StreamConfig config = stream->config;
  Delete(name);
  (void)Ensure(config, now);
}

void MemoryStreams::RollBack(std::string_view name, uint64_t last_sequence) {
  Stream* stream = Find(name);
  if (stream == nullptr) return;
  while (!stream->messages.empty() && stream->messages.rbegin()->first > last_sequence) {
    Erase(*stream, stream->messages.rbegin()->first);
  }
  stream->last_sequence = std::min(stream->last_sequence, last_sequence);
  for (auto& item : stream->consumers) {
    item.second.floor = std::min(item.second.floor, last_sequence);
  }
  stream->message_ids.clear();
  stream->message_id_ages.clear();
}

void MemoryStreams::Erase(Stream& stream, uint64_t sequence) {
  const auto it = stream.messages.find(sequence);
  stream.bytes -= SizeOf(it->second);
  const auto subject = stream.by_subject.find(it->second.subject);
  subject->second.erase(sequence);
  if (subject->second.empty()) stream.by_subject.erase(subject);
  stream.messages.erase(it);
}

void MemoryStreams::Expire(Stream& stream, absl::Time now) {
  while (!stream.message_id_ages.empty() &&
         stream.message_id_ages.front().first + stream.config.duplicate_window < now) {
    stream.message_ids.erase(stream.message_id_ages.front().second);
    stream.message_id_ages.pop_front();
  }
  if (stream.config.max_age <= absl::ZeroDuration()) return;
  const int64_t oldest = ToMicros(now - stream.config.max_age);
  while (!stream.messages.empty() && stream.messages.begin()->second.stored_micros < oldest) {
    Erase(stream, stream.messages.begin()->first);
  }
}

}  // namespace sealane
