#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "lib/bus/bus.h"
#include "lib/core/env.h"
#include "lib/core/scoped_executor.h"

namespace sealane {

namespace v1 {
class QueryReply;
class QueryRequest;
}  // namespace v1

// Where the answer to one query goes. May outlive the call of the handler, not the QueryServer.
// Thread rule: the executor thread only.
class QueryAnswer {
 public:
  virtual ~QueryAnswer() = default;
  // The subject of the question, in HUB's names: it says who asks where accounts have their own.
  [[nodiscard]] virtual const std::string& subject() const = 0;
  // Sends a part; a large one is divided, so that no message exceeds half the bus' payload. `end`
  // and `error` of the part are ignored.
  virtual void Send(const v1::QueryReply& part) = 0;
  // Exactly one of these ends the answer; without either, dropping the object fails it.
  virtual void End() = 0;
  virtual void Fail(std::string_view error) = 0;
};

// Serves the requests on a subject, hub::Query(service) or hub::kResultRequests, as long as it
// exists. Replicas share the requests (queue group). Thread rule: the executor thread only.
class QueryServer {
 public:
  using Handler =
      std::function<void(const v1::QueryRequest& request, std::shared_ptr<QueryAnswer> answer)>;
  // The bus must outlive the server.
  QueryServer(Bus& bus, std::string_view filter, Handler handler);
  ~QueryServer();
  [[nodiscard]] uint64_t served() const { return served_; }

 private:
  class Answer;
  Bus& bus_;
  Handler handler_;
  uint64_t served_ = 0;
  std::shared_ptr<bool> alive_;
  std::unique_ptr<Subscription> subscription_;
};

// Asks a subject, platform::Query(service) or platform::kResults, and collects the parts. Thread
// rule: the executor thread only; destroying it forgets what is under way.
class QueryClient {
 public:
  using Handler = std::function<void(absl::StatusOr<v1::QueryReply>)>;
  // The bus and env must outlive the client.
  QueryClient(Bus& bus, Env env);
  ~QueryClient();
  // All parts merged. UNAVAILABLE: nobody serves; DEADLINE_EXCEEDED: no part for `timeout`;
  // FAILED_PRECONDITION: the service's error.
  void Query(std::string_view subject, const v1::QueryRequest& request, absl::Duration timeout,
             Handler handler);

 private:
  struct Call;
  void Arm(const std::shared_ptr<Call>& call);
  void Finish(const std::shared_ptr<Call>& call, absl::StatusOr<v1::QueryReply> result);

  Bus& bus_;
  ScopedExecutor executor_;
};

}  // namespace sealane
