#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "lib/core/env.h"
#include "lib/core/json_fwd.h"
#include "lib/core/scoped_executor.h"
#include "lib/http/handler.h"
#include "lib/kubeapi/access.h"
#include "lib/kubeapi/resource.h"
#include "lib/kubeapi/store.h"
#include "lib/kubeapi/writer.h"

namespace sealane::kubeapi {

struct ApiServerOptions {
  // Bearer token that requests must carry; empty: anyone may do anything.
  std::string token;
  // Authentication, authorisation and audit, instead of `token`.
  AccessHooks access = {};
  // What discovery tells clients to connect to.
  std::string server_address = "127.0.0.1";
  // Custom resources that are served without anybody having applied their definitions: a list of
  // CustomResourceDefinitions, or nullptr.
  std::shared_ptr<const Json> definitions = nullptr;
  // Services that need node ports and name none are given some. Not where other servers do that.
  bool node_ports = true;
  // See Admitter; nullptr: nothing is admitted besides the checks of the API.
  Admitter admit = nullptr;
  absl::Duration bookmark_period = absl::Minutes(1);
  absl::Duration watch_timeout = absl::Minutes(30);  // of watches that name no timeout
  // Watches that one user may have open; more are answered 429. 0: any number.
  size_t max_watches_per_user = 0;
  // Unread bytes of one watch: a client that leaves more is told the rest when it reads again.
  size_t max_watch_pending = 256 << 10;
  std::function<void()> on_watch_refused = nullptr;  // told of such a 429
  // Told of a watch that ends with 410: what its client has not been told is not kept any more.
  std::function<void()> on_watch_expired = nullptr;
};

// The server side of the Kubernetes API over a Store, without a transport: it can be driven through
// HttpServer, or in process through DirectTransport on virtual time.
//
// Thread rule: every call on the executor of `env`.
class ApiServer {
 public:
  // `store` must outlive the server.
  ApiServer(Env env, Store& store, ApiServerOptions options);
  ~ApiServer();
  ApiServer(const ApiServer&) = delete;
  ApiServer& operator=(const ApiServer&) = delete;

  // Answers one request, now or (watches) over time. `user`: who sends it, where somebody has asked
  // `access.authenticate` already.
  void Handle(const http::HttpRequest& request, std::shared_ptr<http::ResponseWriter> writer,
              std::optional<UserInfo> user = std::nullopt);

  // The same writes without HTTP, for controllers that live with the server. Each goes through
  // defaulting, validation and field ownership. `done` gives the written object and may be null. A
  // deletion that somebody else's write interferes with is decided again, a few times.
  void Create(const WriteTarget& target, const Json& object, const WriteOptions& options,
              Store::Done done);
  void Update(const WriteTarget& target, const Json& object, const WriteOptions& options,
              Store::Done done);
  void Delete(const WriteTarget& target, const Json& delete_options, const WriteOptions& options,
              Store::Done done);

  [[nodiscard]] Store& store() { return store_; }
  [[nodiscard]] const Registry& registry() const { return registry_; }
  [[nodiscard]] const Env& env() const { return env_; }
  // The resource of that storage name ("apps/deployments"); nullptr when it is not served.
  [[nodiscard]] const Resource* Stored(std::string_view storage_name) const;
  // Ends every watch, as when the server restarts.
  void EndWatches();
  // Number of watches now open.
  [[nodiscard]] size_t watches() const;

 private:
  struct Request;  // one parsed request

  void Enter(Request& request);
  // False when the request was refused.
  bool Admit(Request& request);
  bool Allow(Request& request, const Attributes& attributes);
  void Dispatch(Request& request);
  void Read(Request& request);
  // Whether that revision has not come yet: then the read is begun again later, or refused.
  bool Await(Request& request, uint64_t revision, void (ApiServer::*read)(Request&));
  void List(Request& request);
  void StartWatch(Request& request);
  void TickBookmarks(uint64_t watch);
  void Write(Request& request);
  // True: the request will be tried again.
  bool Again(const Request& request, const absl::Status& failure);
  void Guard(Request& request, void (ApiServer::*step)(Request&));
  // Goes on with the request after a pause.
  void Later(const Request& request, absl::Duration pause, void (ApiServer::*step)(Request&));
  // What a deletion is to do: the body, or else the query.
  static absl::StatusOr<Json> DeleteOptionsOf(const Request& request, WriteOptions& options);
  struct Deletion;
  void Delete(std::shared_ptr<Deletion> deletion);
  void DeleteCollection(Request& request);
  struct Clearing;
  void Clear(const std::shared_ptr<Clearing>& clearing);
  // Ends a watch when its user is not known any more, or may not watch any more.
  void WatchRight(uint64_t id, const Request& request);
  void LookAgain(uint64_t id, std::function<bool()> still);
  bool Special(Request& request);
  void ReviewToken(Request& request);
  void Discovery(Request& request);
  void Commit(WritePlan plan, Store::Done done);
  void Answer(Request& request, int code, const Json& object);
  void AnswerObject(Request& request, int code, const ObjectPtr& object);
  void Fail(Request& request, const absl::Status& status);
  void OnChange(const Change& change);
  // Gives a definition the status that its kind is served, until that is written.
  void Establish(const ObjectKey& key);

  ScopedExecutor executor_;
  Env env_;
  Store& store_;
  ApiServerOptions options_;
  Registry registry_;
  Writer writer_;
  uint64_t subscription_ = 0;
  std::unique_ptr<class WatchSet> watches_;
};

}  // namespace sealane::kubeapi
