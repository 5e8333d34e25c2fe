#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "lib/core/env.h"
#include "lib/core/scoped_executor.h"
#include "lib/http/handler.h"
#include "lib/http/message.h"
#include "lib/kube/watch_stream.h"
#include "services/gateway/fleet_view.h"
#include "services/gateway/member_client.h"

namespace sealane::gateway {

// Answers an error of the Kubernetes API. `plain`: as a text; kubectl shows no other when it asks
// what a server has.
void SendError(http::ResponseWriter& writer, const absl::Status& status, bool plain);

// The answer to one user being made from members' answers. Its end is told once; it may be
// destroyed then, but not inside that call. Thread rule: the executor thread.
class MemberTask {
 public:
  MemberTask(Env env, std::shared_ptr<http::ResponseWriter> writer, std::function<void()> on_end);
  virtual ~MemberTask() = default;
  void SetPlainErrors(bool plain) { plain_errors_ = plain; }
  // Ends it with an error if nothing was answered yet, else by cutting the connection.
  void Stop(const absl::Status& why);

 protected:
  [[nodiscard]] bool ended() const { return ended_; }
  void End();
  void Start(int status, http::Headers headers);
  // Answers an error of the Kubernetes API, and ends.
  void Fail(const absl::Status& status);

  std::shared_ptr<http::ResponseWriter> writer_;
  ScopedExecutor executor_;

 private:
  std::function<void()> on_end_;
  bool plain_errors_ = false;
  bool started_ = false;
  bool ended_ = false;
};

// One member's answer as it comes, no faster than the user reads it.
class MemberRelay final : public MemberTask {
 public:
  using MemberTask::MemberTask;
  void Begin(MemberClient& client, const std::string& cluster, const http::HttpRequest& request,
             const std::string& user);

 private:
  void Credit();

  std::unique_ptr<MemberCall> call_;
  size_t owed_ = 0;  // bytes given to the user's connection and not to the member as taken
  bool crediting_ = false;
};

// The joined answer of several members to a list or a get.
class MemberCollection final : public MemberTask {
 public:
  using MemberTask::MemberTask;
  // `targets`: what each cluster is asked.
  void Begin(MemberClient& client, const std::map<std::string, std::string>& targets,
             const http::HttpRequest& request, const std::string& user, absl::Duration timeout,
             size_t max_bytes);
  // Clusters that are not asked at all, and why.
  void AddMissing(std::string warning) { missing_.push_back(std::move(warning)); }

 private:
  struct Part {
    MemberAnswer answer;
    std::string text;
    bool done = false;
    std::unique_ptr<MemberCall> call;
  };
  void Done(Part& part, const absl::Status& status);
  void Answer();

  std::map<std::string, Part> parts_;
  size_t open_ = 0;
  std::vector<std::string> missing_;
};

// The joined watches of several members: it ends when one of them does, and the user lists again.
class MemberFleetWatch final : public MemberTask {
 public:
  using MemberTask::MemberTask;
  void Begin(MemberClient& client, const std::map<std::string, std::string>& targets,
             const http::HttpRequest& request, const std::string& user, size_t max_unread);

 private:
  struct Part {
    kube::LineBuffer lines{16 << 20};
    std::unique_ptr<MemberCall> call;
  };
  void OnData(const std::string& cluster, const std::string& data);
  void Write(std::string text);

  std::map<std::string, Part> parts_;
  size_t heads_ = 0;   // members that have begun to answer
  std::string early_;  // what came before all had
  size_t max_unread_ = 0;
};

}  // namespace sealane::gateway
