// What kubelets and the metrics server answer, in front of the API server.

#include <algorithm>
#include <utility>

#include "absl/strings/numbers.h"
#include "lib/core/json.h"
#include "lib/core/json_write.h"
#include "lib/core/strings.h"
#include "lib/kubeapi/errors.h"
#include "lib/kubeapi/request.h"
#include "tools/kubesim/cluster.h"
#include "tools/kubesim/objects.h"
#include "tools/kubesim/views.h"

namespace sealane::kubesim {

using kubeapi::ObjectPtr;

namespace {

constexpr std::string_view kMetrics = "/apis/metrics.k8s.io/v1beta1/";

void Refuse(http::ResponseWriter& writer, const absl::Status& status) {
  writer.Send({kubeapi::StatusCodeOf(status),
               {{"Content-Type", "application/json"}},
               WriteJson(kubeapi::StatusObject(status)) + "\n"});
}

int64_t Number(std::string_view text, int64_t fallback) {
  int64_t out = 0;
  return absl::SimpleAtoi(ToAbsl(text), &out) ? out : fallback;
}

}  // namespace

void Cluster::Handle(const http::HttpRequest& request,
                     std::shared_ptr<http::ResponseWriter> writer) {
  const bool known =
      token_.empty() || request.headers.Get("Authorization") == StrCat("Bearer ", token_);
  if (known && request.method == "GET") {
    const http::Target target = http::ParseTarget(request.path);
    if (ServeLog(target, writer) || ServeMetrics(target, *writer)) return;
  }
  server_->Handle(request, std::move(writer));
}

bool Cluster::ServeLog(const http::Target& target,
                       const std::shared_ptr<http::ResponseWriter>& writer) {
  const auto path = kubeapi::ParseResourcePath(target.path);
  if (!path || path->plural != "pods" || path->subresource != "log") return false;
  const ObjectPtr pod = store_.Get({"pods", path->ns, path->name});
  if (pod == nullptr) return false;  // the API server says so
  const auto chosen = LogContainer(pod->value(), std::string(target.Query("container")));
  if (!chosen.ok()) {
    Refuse(*writer, chosen.status());
    return true;
  }
  const bool timestamps = kubeapi::FlagIsSet(target, "timestamps");
  const int64_t lines = LogLines(pod->value(), *chosen, env_.clock.Now());
  const int64_t first = std::max<int64_t>(0, lines - Number(target.Query("tailLines"), lines));
  std::string text;
  for (int64_t i = first; i < lines; ++i) text += LogLine(pod->value(), *chosen, i, timestamps);
  if (target.HasQuery("limitBytes")) {
    text.resize(std::min<size_t>(text.size(), Number(target.Query("limitBytes"), 0)));
  }
  const http::Headers headers = {{"Content-Type", "text/plain"}};
  if (!kubeapi::FlagIsSet(target, "follow")) {
    writer->Send({200, headers, std::move(text)});
    return true;
  }
  writer->StartStream(200, headers);
  writer->Write(std::move(text));
  auto open = std::make_shared<bool>(true);
  writer->OnClose([open] { *open = false; });
  const auto next = std::make_shared<std::function<void(int64_t)>>();
  // The function holds itself while a timer waits.
  *next = [this, key = pod->key(), uid = TextAt(pod->value(), "metadata.uid"), container = *chosen,
           timestamps, writer, open, weak = std::weak_ptr(next)](int64_t told) {
    const ObjectPtr now = store_.Get(key);
    if (!*open) return;
    if (now == nullptr || TextAt(now->value(), "metadata.uid") != uid) return writer->End();
    const int64_t all = LogLines(now->value(), container, env_.clock.Now());
    for (int64_t i = told; i < all; ++i) {
      writer->Write(LogLine(now->value(), container, i, timestamps));
    }
    const std::string phase = TextAt(now->value(), "status.phase");
    if (phase == "Succeeded" || phase == "Failed") return writer->End();
    executor_.After(absl::Seconds(1), [self = weak.lock(), all] { (*self)(all); });
  };
  (*next)(lines);
  return true;
}

bool Cluster::ServeMetrics(const http::Target& target, http::ResponseWriter& writer) const {
  if (!options_.metrics || !target.path.starts_with(kMetrics)) return false;
  const auto answer =
      MetricsAnswer(store_, target.path.substr(kMetrics.size() - 1), env_.clock.Now());
  if (!answer.has_value()) return false;
  if (answer->ok()) {
    writer.Send({200, {{"Content-Type", "application/json"}}, WriteJson(**answer) + "\n"});
  } else {
    Refuse(writer, answer->status());
  }
  return true;
}

}  // namespace sealane::kubesim
