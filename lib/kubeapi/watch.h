#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "lib/kubeapi/request.h"

namespace sealane::kubeapi {

// The texts of one change, made once for all watchers that want it in the same form.
class EventTexts {
 public:
  // The form in which a watcher wants an event. A plain value type.
  struct Form {
    const Resource* resource = nullptr;
    Output output = Output::kObject;
    std::string include_object;  // of tables
    bool columns = false;        // of tables: with the definitions of the columns
  };
  // One event with `object`; `type` is ADDED, MODIFIED or DELETED.
  std::shared_ptr<const std::string> Get(const char* type, const StoredObject& object,
                                         const Form& form, absl::Time now);

 private:
  struct Text {
    std::string type;
    const StoredObject* object;
    Form form;
    std::shared_ptr<const std::string> text;
  };
  std::vector<Text> texts_;
};

// One open watch: filters the store's changes and writes them as events. Owned by the server.
//
// A client that does not read is sent nothing more once `max_pending` bytes wait for it. When it
// has taken half of them, what it missed is read from the store's history; if that does not reach
// back so far any more, it is told 410 and the watch ends. So a slow client costs the same memory
// however much happens meanwhile.
class Watch : public std::enable_shared_from_this<Watch> {
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
    std::string user;    // "" where nobody is authenticated
    size_t max_pending = 256 << 10;
  };

  // `store` must outlive the watch. `on_end` is called when it ends by itself, with
  // that 410.
  Watch(const Env& env, const Store& store, Options options,
        std::shared_ptr<http::ResponseWriter> writer, std::function<void()> on_end);

  // Begins with `initial`, all told as ADDED if they are selected, as they are at `revision` of the
  // store, and goes on with the changes after it. `initial_end`: a bookmark marks the end of them.
  void Start(std::vector<ObjectPtr> initial, uint64_t revision, bool initial_end);
  // Sends what a change means to this watcher: an object that enters or leaves its selection is
  // ADDED or DELETED to it.
  void Deliver(const Change& change, EventTexts& texts);
  // A BOOKMARK of the store's revision; none to a client that has not been sent all changes.
  void SendBookmark() {
    if (!behind_) WriteBookmark(store_.revision(), false);
  }
  // Ends the answer and forgets the timers. Nothing is sent afterwards.
  void End();

  [[nodiscard]] const Options& options() const { return options_; }
  TimerId bookmark_timer = 0;
  TimerId end_timer = 0;
  TimerId right_timer = 0;  // looks whether the user still may

 private:
  [[nodiscard]] bool Selects(const StoredObject& object) const;
  [[nodiscard]] bool Full() const { return writer_->pending_bytes() >= options_.max_pending; }
  void Tell(const Change& change, EventTexts& texts);
  void Send(const char* type, const StoredObject& object, EventTexts& texts);
  void WriteBookmark(uint64_t revision, bool initial_end);
  // Sends what the client missed, as far as it has room.
  void CatchUp();
  // The changes that have not been told. OutOfRange: they are not all known any more.
  [[nodiscard]] absl::StatusOr<std::vector<Change>> Missed() const;
  void Later();

  Env env_;
  const Store& store_;
  Options options_;
  std::shared_ptr<http::ResponseWriter> writer_;
  std::function<void()> on_end_;
  bool columns_sent_ = false;
  bool ended_ = false;
  // While the client is behind: what is left of the initial objects, last one first, and then the
  // changes since the one that was last told or, if there is none, since `revision_`.
  bool behind_ = false;
  std::vector<ObjectPtr> initial_;
  bool initial_end_ = false;
  uint64_t revision_ = 0;
  ObjectPtr last_;
  absl::Duration pause_;
  TimerId timer_ = 0;
};

}  // namespace sealane::kubeapi
