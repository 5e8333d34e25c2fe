#include "lib/bus/stream_reader.h"

#include <string>
#include <utility>

#include "lib/core/status.h"
#include "lib/core/strings.h"

namespace sealane {
namespace {

constexpr absl::Duration kReadTimeout = absl::Seconds(10);

}  // namespace

StreamReader::StreamReader(Env env, Bus& bus) : bus_(bus), executor_(env.executor) {}
StreamReader::~StreamReader() = default;

void StreamReader::Read(const WatchOptions& options, TakeHandler take, EndHandler end) {
  const uint64_t id = next_read_++;
  const auto shared = std::make_shared<EndHandler>(std::move(end));
  const TimerId timer = executor_.After(kReadTimeout, [this, id, shared, stream = options.stream] {
    if (reads_.erase(id) == 0) return;
    (*shared)(
        absl::DeadlineExceededError(ToAbsl(StrCat("the stream ", stream, " does not answer"))));
  });
  reads_[id] = bus_.Watch(
      options, [this, id, timer, take = std::move(take), shared](const WatchEvent& event) {
        if (event.type == WatchEvent::Type::kPut) take(event.message);
        if (event.type != WatchEvent::Type::kSynced) return;
        executor_.Cancel(timer);
        // Not inside its own callback.
        executor_.Post([this, id, shared] {
          if (reads_.erase(id) > 0) (*shared)(absl::OkStatus());
        });
      });
}

}  // namespace sealane
