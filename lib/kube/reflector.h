#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "lib/core/backoff.h"
#include "lib/core/env.h"
#include "lib/core/json_fwd.h"
#include "lib/core/scoped_executor.h"
#include "lib/kube/kube_client.h"
#include "lib/kube/rest_mapping.h"
#include "lib/kube/watch_stream.h"

namespace sealane::kube {

struct ReflectorOptions {
  std::string label_selector;
  int page_size = 200;  // objects per list request; bounds memory while listing
  // The server is asked to end a watch after this (plus up to as much again, at random).
  absl::Duration watch_timeout = absl::Minutes(5);
  // A watch that is silent for longer is thought dead and opened again.
  absl::Duration idle_timeout = absl::Minutes(2);
  BackoffOptions backoff = {.initial = absl::Milliseconds(200), .max = absl::Seconds(30)};
};

struct ReflectorStats {
  uint64_t lists = 0;
  uint64_t watches = 0;
  uint64_t looks = 0;  // whether the versions went back
  uint64_t failures = 0;
  uint64_t events = 0;
};

// Follows one collection: lists it page by page, then watches from there; lists again when the
// server has forgotten the version (410), or its versions went back (etcd was restored from a
// backup: a watch from our version would be silent until the server gets there again, so a watch
// that ended early is resumed only after a look); backs off on failures. Keeps no objects.
//
// Thread rule: the executor thread. The handler is never called inside a call, nor after
// destruction. Objects are valid during the call only.
class Reflector {
 public:
  struct Handler {
    // The newest version known besides what the reflector told (of own writes); asked when a list
    // is requested. May be empty.
    std::function<uint64_t()> known_version;
    // A list begins: afterwards, every object that is not Put before on_synced is gone.
    // `went_back`: the server's versions are below what was known, so that no comparison with
    // earlier ones means anything.
    std::function<void(bool went_back)> on_reset;
    std::function<void(const Json& object)> on_put;
    std::function<void(const Json& object)> on_delete;
    std::function<void()> on_synced;  // the list is complete; the watch follows
    // A list or watch failed (OK: it works again).
    std::function<void(const absl::Status&)> on_status;
  };

  // `client` must outlive the reflector.
  Reflector(KubeClient& client, ResourceType type, ReflectorOptions options, Handler handler);
  Reflector(const Reflector&) = delete;
  Reflector& operator=(const Reflector&) = delete;

  void Start();
  // Lists again from the start.
  void Relist();
  // The first list is complete (and stays so while listing again).
  [[nodiscard]] bool synced() const { return synced_; }
  // resourceVersion of the last list that began; 0 when it is not a number.
  [[nodiscard]] uint64_t list_version() const { return list_version_; }
  [[nodiscard]] const ResourceType& type() const { return type_; }
  [[nodiscard]] const ReflectorStats& stats() const { return stats_; }

 private:
  void ListPage(const std::string& continue_token, uint64_t round);
  void OnPage(const absl::Status& status, const Json* list, uint64_t round);
  void OpenWatch();
  // Opens the watch again unless the server's versions went back.
  void Resume();
  bool OnLine(std::string_view line);
  void EndWatch(const absl::Status& status);
  void OnWatchDone(const absl::Status& status);
  void Fail(const absl::Status& status, bool relist);
  void After(absl::Duration delay, std::function<void()> fn);

  KubeClient& client_;
  Env env_;
  ResourceType type_;
  ReflectorOptions options_;
  Handler handler_;
  ReflectorStats stats_;
  bool synced_ = false;
  uint64_t round_ = 0;  // of lists: answers of an earlier round are dropped
  std::string resource_version_;
  uint64_t newest_ = 0;  // version seen from the server; 0: none that is a number
  uint64_t floor_ = 0;   // the list under way cannot be older
  uint64_t list_version_ = 0;
  std::string retry_after_;  // of the watch's answer
  int http_status_ = 0;      // of the watch's response
  bool expired_ = false;
  uint64_t events_before_ = 0;
  absl::Duration opened_;
  absl::Duration asked_;  // how long the watch was asked to last
  absl::Status line_error_;
  std::unique_ptr<LineBuffer> lines_;
  std::unique_ptr<http::Call> watch_;
  TimerId timer_ = 0;
  Backoff backoff_;
  ScopedExecutor executor_;
};

}  // namespace sealane::kube
