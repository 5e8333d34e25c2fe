#pragma once

#include <memory>
#include <string>

#include "absl/time/time.h"
#include "lib/kubeapi/request.h"

namespace sealane::kubeapi {

// One open watch: filters the store's changes and writes them as events. Owned by the server.
class Watch {
 public:
  struct Options {
    const Resource* resource = nullptr;
    std::string ns;
    LabelQuery labels;
    FieldQuery fields;
    Output output = Output::kObject;
    std::string include_object;
    bool bookmarks = false;
    uint64_t after = 0;  // nothing up to this revision is told
  };

  Watch(const Env& env, Options options, std::shared_ptr<http::ResponseWriter> writer);

  // Sends what a change means to this watcher: an object that enters or leaves its selection is
  // ADDED or DELETED to it. False when the client is too slow to be kept.
  bool Deliver(const Change& change);
  // Sends an object as ADDED if it is selected.
  void SendInitial(const StoredObject& object);
  // A BOOKMARK; `initial_end` marks the end of the initial events.
  void SendBookmark(uint64_t revision, bool initial_end);
  void SendError(const Json& status);
  void End();

  [[nodiscard]] const Options& options() const { return options_; }
  TimerId bookmark_timer = 0;
  TimerId end_timer = 0;

 private:
  [[nodiscard]] bool Selects(const StoredObject& object) const;
  void Send(const char* type, const StoredObject& object);

  Env env_;
  Options options_;
  std::shared_ptr<http::ResponseWriter> writer_;
  bool columns_sent_ = false;
};

}  // namespace sealane::kubeapi
