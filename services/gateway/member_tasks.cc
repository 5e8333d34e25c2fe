#include "services/gateway/member_tasks.h"

#include <utility>

#include "lib/core/json.h"
#include "lib/core/json_depth.h"
#include "lib/core/json_write.h"
#include "lib/core/strings.h"
#include "lib/kubeapi/errors.h"

namespace sealane::gateway {
namespace {

// What may wait in a user's connection before the member is told to send more.
constexpr size_t kUnread = 256 << 10;
constexpr int kDeepest = 200;
constexpr absl::Duration kCheckAgain = absl::Milliseconds(50);

http::Headers JsonHeaders(const std::vector<std::string>& warnings) {
  http::Headers headers = {{"Content-Type", "application/json"}};
  for (const std::string& warning : warnings) {
    headers.Add("Warning", StrCat("299 - ", Json(warning).dump(-1, ' ', true,
                                                               Json::error_handler_t::replace)));
  }
  return headers;
}

// The request for one member of several: an answer that can be joined.
http::HttpRequest JsonRequest(const http::HttpRequest& request, const std::string& target) {
  http::HttpRequest out;
  out.method = request.method;
  out.path = target;
  const std::string_view accept = request.headers.Get("Accept");
  const bool usable = accept.find("json") != std::string_view::npos &&
                      accept.find("protobuf") == std::string_view::npos;
  out.headers.Set("Accept", usable ? accept : "application/json");
  return out;
}

}  // namespace

void SendError(http::ResponseWriter& writer, const absl::Status& status, bool plain) {
  const int code = kubeapi::StatusCodeOf(status);
  http::Headers headers = {
      {"Content-Type", plain ? "text/plain; charset=utf-8" : "application/json"}};
  if (code == 429) headers.Add("Retry-After", "1");
  std::string body = plain ? std::string(ToStd(status.message()))
                           : WriteJson(kubeapi::StatusObject(status)) + "\n";
  writer.Send({code, std::move(headers), std::move(body)});
}

MemberTask::MemberTask(Env env, std::shared_ptr<http::ResponseWriter> writer,
                       std::function<void()> on_end)
    : writer_(std::move(writer)), executor_(env.executor), on_end_(std::move(on_end)) {
  writer_->OnClose([this, alive = executor_.alive()] {
    if (!alive.expired()) End();
  });
}

void MemberTask::End() {
  if (std::exchange(ended_, true)) return;
  on_end_();
}

void MemberTask::Start(int status, http::Headers headers) {
  started_ = true;
  writer_->StartStream(status, std::move(headers));
}

void MemberTask::Fail(const absl::Status& status) {
  if (ended_) return;
  if (started_) {
    writer_->Abort();
  } else {
    SendError(*writer_, status, plain_errors_);
  }
  End();
}

void MemberTask::Stop(const absl::Status& why) { Fail(why); }

void MemberRelay::Begin(MemberClient& client, const std::string& cluster,
                        const http::HttpRequest& request, const std::string& user) {
  MemberClient::Callbacks callbacks;
  callbacks.on_head = [this](int status, http::Headers headers) {
    if (!ended()) Start(status, std::move(headers));
  };
  callbacks.on_data = [this](std::string data) {
    if (ended()) return;
    owed_ += data.size();
    writer_->Write(std::move(data));
    Credit();
  };
  callbacks.on_done = [this](const absl::Status& status) {
    if (!status.ok()) return Fail(status);
    if (ended()) return;
    writer_->End();
    End();
  };
  call_ = client.Ask(cluster, request, user, std::move(callbacks));
}

void MemberRelay::Credit() {
  if (crediting_ || ended()) return;
  if (writer_->pending_bytes() < kUnread) {
    call_->Taken(std::exchange(owed_, 0));
    return;
  }
  crediting_ = true;
  executor_.After(kCheckAgain, [this] {
    crediting_ = false;
    Credit();
  });
}

void MemberCollection::Begin(MemberClient& client,
                             const std::map<std::string, std::string>& targets,
                             const http::HttpRequest& request, const std::string& user,
                             absl::Duration timeout, size_t max_bytes) {
  open_ = targets.size();
  for (const auto& [cluster, target] : targets) {
    Part& part = parts_[cluster];
    part.answer.cluster = cluster;
    MemberClient::Callbacks callbacks;
    callbacks.on_head = [&part](int status, const http::Headers&) { part.answer.status = status; };
    callbacks.on_data = [this, &part, max_bytes](const std::string& data) {
      if (ended() || part.done) return;
      part.text += data;
      part.call->Taken(data.size());
      if (part.text.size() > max_bytes) {
        Done(part, kubeapi::ApiError(413, "RequestEntityTooLarge",
                                     StrCat("cluster ", part.answer.cluster,
                                            ": too long a list: ask for less (limit)")));
      }
    };
    callbacks.on_done = [this, &part](const absl::Status& status) { Done(part, status); };
    part.call = client.Ask(cluster, JsonRequest(request, target), user, std::move(callbacks));
  }
  if (open_ == 0) return Answer();
  executor_.After(timeout, [this] {
    for (auto& [cluster, part] : parts_) {
      Done(part, kubeapi::ApiError(504, "Timeout",
                                   StrCat("cluster ", cluster, ": no answer in time: left out")));
    }
  });
}

void MemberCollection::Done(Part& part, const absl::Status& status) {
  if (ended() || std::exchange(part.done, true)) return;
  if (!status.ok()) {
    part.answer.status = 0;
    part.answer.error = std::string(ToStd(status.message()));
  } else if (!NestedDeeperThan(part.text, kDeepest)) {
    Json body = Json::parse(part.text, nullptr, /*allow_exceptions=*/false);
    if (!body.is_discarded()) part.answer.body = std::make_shared<Json>(std::move(body));
  }
  part.text = {};
  if (--open_ == 0) Answer();
}

void MemberCollection::Answer() {
  std::vector<MemberAnswer> answers;
  for (auto& [cluster, part] : parts_) answers.push_back(std::move(part.answer));
  FleetAnswer merged;
  if (answers.empty()) {
    return Fail(
        kubeapi::ApiError(503, "ServiceUnavailable",
                          missing_.empty() ? "there are no clusters" : StrJoin(missing_, "; ")));
  }
  merged = MergeAnswers(std::move(answers));
  merged.warnings.insert(merged.warnings.end(), missing_.begin(), missing_.end());
  writer_->Send({merged.status, JsonHeaders(merged.warnings), WriteJson(*merged.body) + "\n"});
  End();
}

void MemberFleetWatch::Begin(MemberClient& client,
                             const std::map<std::string, std::string>& targets,
                             const http::HttpRequest& request, const std::string& user,
                             size_t max_unread) {
  max_unread_ = max_unread;
  if (targets.empty()) {
    return Fail(kubeapi::ApiError(503, "ServiceUnavailable", "no cluster can be watched"));
  }
  for (const auto& [cluster, target] : targets) {
    Part& part = parts_[cluster];
    MemberClient::Callbacks callbacks;
    callbacks.on_head = [this, cluster = cluster](int status, const http::Headers&) {
      if (ended()) return;
      if (status != 200) {
        return Fail(
            kubeapi::ApiError(status, "BadGateway",
                              StrCat("cluster ", cluster, " refuses the watch (", status, ")")));
      }
      // What is wrong with one is told as an error while nothing was sent.
      if (++heads_ < parts_.size()) return;
      Start(200, JsonHeaders({}));
      Write(std::exchange(early_, {}));
    };
    callbacks.on_data = [this, cluster = cluster](const std::string& data) {
      if (!ended()) OnData(cluster, data);
    };
    callbacks.on_done = [this](const absl::Status& status) {
      if (!status.ok()) return Fail(status);
      if (ended()) return;
      writer_->End();
      End();
    };
    part.call = client.Ask(cluster, JsonRequest(request, target), user, std::move(callbacks));
  }
}

void MemberFleetWatch::OnData(const std::string& cluster, const std::string& data) {
  Part& part = parts_.at(cluster);
  std::string out;
  bool strange = false;
  const bool fits = part.lines.Append(data, [&](std::string_view line) {
    Json event;
    if (!NestedDeeperThan(line, kDeepest)) {
      event = Json::parse(line, nullptr, /*allow_exceptions=*/false);
    }
    strange = !event.is_object();
    if (!strange && MarkEvent(cluster, event)) out += WriteJson(event) + "\n";
    return !strange;
  });
  if (!fits || strange) {
    return Fail(kubeapi::ApiError(502, "BadGateway",
                                  StrCat("cluster ", cluster, " sends something strange")));
  }
  Write(std::move(out));
  if (!ended()) part.call->Taken(data.size());
}

void MemberFleetWatch::Write(std::string text) {
  if (text.empty()) return;
  if (early_.size() + writer_->pending_bytes() + text.size() > max_unread_) {
    return Fail(kubeapi::ApiError(500, "InternalError", "the watch is not read fast enough"));
  }
  if (heads_ < parts_.size()) {
    early_ += text;
  } else {
    writer_->Write(std::move(text));
  }
}

}  // namespace sealane::gateway
