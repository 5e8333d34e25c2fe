#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "lib/core/env.h"
#include "lib/core/json_fwd.h"
#include "lib/core/scoped_executor.h"
#include "lib/http/transport.h"
#include "lib/kube/api_error.h"
#include "lib/kube/credentials.h"
#include "lib/kube/rest_mapping.h"

namespace sealane::kube {

struct KubeClientOptions {
  std::string field_manager = "sealane";
  size_t max_in_flight = 32;  // requests at once, watches not counted; more wait in order
  absl::Duration timeout = absl::Seconds(30);  // of one request
};

// Counters of a client; read them on the executor thread.
struct KubeClientStats {
  uint64_t requests = 0;
  uint64_t errors = 0;     // no response at all
  uint64_t throttled = 0;  // 429 answers
  size_t in_flight = 0;
  size_t waiting = 0;
};

struct ApplyOptions {
  bool force = false;  // take over fields that other managers own
  bool dry_run = false;
};

struct DeleteOptions {
  std::string uid;  // precondition; empty: none
  std::string propagation = "Background";
};

// A client of one Kubernetes API server. Failed requests give a status as lib/kube/api_error.h
// describes; a 401 is tried once more with fresh credentials; 429 and 503 pause all requests for as
// long as the server asks (Retry-After).
//
// Thread rule: the executor thread. Callbacks run there, never inside the call that caused them
// (the transport's promise), and not after the client is destroyed.
class KubeClient {
 public:
  // On success OK and the object (valid during the call), else the error and nullptr.
  using ObjectCallback = std::function<void(const absl::Status&, const Json* object)>;
  // `created`: the request made the object (201), it did not change one that was there (200).
  using ApplyCallback = std::function<void(const absl::Status&, const Json* object, bool created)>;

  // `transport` and `env` must outlive the client.
  KubeClient(Env env, http::HttpTransport& transport, std::unique_ptr<Credentials> credentials,
             KubeClientOptions options = {});
  KubeClient(const KubeClient&) = delete;
  KubeClient& operator=(const KubeClient&) = delete;

  // GET of any path ("/version", "/api").
  void GetPath(std::string_view path, std::string_view accept, ObjectCallback callback);
  // GET outside the queue of requests and with a time limit of its own: does the server answer?
  // The callback's object is always nullptr; any 2xx answer is OK.
  void Probe(std::string_view path, absl::Duration timeout, ObjectCallback callback);
  void Get(const ResourceType& type, std::string_view ns, std::string_view name,
           ObjectCallback callback);
  // Server-side apply of a manifest (JSON text).
  void Apply(const ResourceType& type, std::string_view ns, std::string_view name,
             std::string manifest, const ApplyOptions& options, ApplyCallback callback);
  // JSON merge patch (RFC 7396).
  void MergePatch(const ResourceType& type, std::string_view ns, std::string_view name,
                  std::string patch, ObjectCallback callback);
  void Delete(const ResourceType& type, std::string_view ns, std::string_view name,
              const DeleteOptions& options, ObjectCallback callback);
  // One page of a collection, as its List object. `label_selector` and `continue_token` may be
  // empty.
  void List(const ResourceType& type, std::string_view ns, std::string_view label_selector,
            int limit, std::string_view continue_token, ObjectCallback callback);
  // The same with the objects' metadata only (PartialObjectMetadata).
  void ListMetadata(const ResourceType& type, std::string_view ns, int limit,
                    std::string_view continue_token, ObjectCallback callback);
  // A streaming request with credentials (watch). Destroying the Call ends it.
  [[nodiscard]] std::unique_ptr<http::Call> Stream(std::string_view path,
                                                   http::StreamCallbacks callbacks,
                                                   const http::RequestOptions& options);
  // The same for any request, which must have no Authorization of its own.
  [[nodiscard]] std::unique_ptr<http::Call> Stream(http::HttpRequest request,
                                                   http::StreamCallbacks callbacks,
                                                   const http::RequestOptions& options);

  [[nodiscard]] KubeClientStats stats() const;
  // The API server asked for a pause (429 or 503 with Retry-After): no request begins before.
  void Pause(absl::Duration duration);
  // How long the pause goes on; streaming requests are the caller's to hold back.
  [[nodiscard]] absl::Duration PausedFor() const;
  // The next streaming request and request get fresh credentials.
  void InvalidateCredentials() { credentials_->Invalidate(); }
  [[nodiscard]] Env env() const { return env_; }

 private:
  struct Pending {
    http::HttpRequest request;
    ApplyCallback callback;
    bool retried = false;  // once, after a 401
  };

  void Enqueue(http::HttpRequest request, ApplyCallback callback);
  void Enqueue(http::HttpRequest request, ObjectCallback callback);
  void Pump();
  void SendOne(std::shared_ptr<Pending> pending);
  void Finish(const std::shared_ptr<Pending>& pending, absl::StatusOr<http::HttpResponse> response);

  Env env_;
  http::HttpTransport& transport_;
  std::unique_ptr<Credentials> credentials_;
  KubeClientOptions options_;
  KubeClientStats stats_;
  std::deque<std::shared_ptr<Pending>> waiting_;
  absl::Duration paused_until_;  // monotonic
  TimerId pause_timer_ = 0;
  ScopedExecutor executor_;
};

}  // namespace sealane::kube
