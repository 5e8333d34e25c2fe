#include "tests/unit/lib/kubeapi/api_harness.h"

#include <sstream>
#include <utility>

#include "gtest/gtest.h"
#include "lib/core/strings.h"

namespace sealane::kubeapi {

ApiHarness::ApiHarness(ApiServerOptions options, size_t history)
    : sim(7),
      store(history),
      server(sim.env(), store, std::move(options)),
      transport(sim, [this](const http::HttpRequest& request,
                            std::shared_ptr<http::ResponseWriter> writer) {
        server.Handle(request, std::move(writer));
      }) {}

ApiAnswer ApiHarness::Call(const std::string& method, const std::string& path, const Json& body,
                           const std::string& content_type, const std::string& accept,
                           const std::string& token) {
  http::HttpRequest request;
  request.method = method;
  request.path = path;
  request.headers.Set("Accept", accept);
  request.headers.Set("User-Agent", "kubectl/v1.36");
  if (!token.empty()) request.headers.Set("Authorization", "Bearer " + token);
  if (!body.is_null()) {
    request.headers.Set("Content-Type", content_type);
    request.body = body.is_string() ? body.get<std::string>() : body.dump();
  }
  ApiAnswer answer;
  bool done = false;
  transport.Send(std::move(request), [&](absl::StatusOr<http::HttpResponse> response) {
    done = true;
    if (!response.ok()) {
      ADD_FAILURE() << response.status();
      return;
    }
    answer.status = response->status;
    answer.headers = response->headers;
    answer.text = response->body;
  });
  EXPECT_TRUE(sim.RunUntil([&] { return done; }, absl::Seconds(60)));
  answer.body = Json::parse(answer.text, nullptr, false);
  if (answer.body.is_discarded()) answer.body = answer.text;
  return answer;
}

ApiAnswer ApiHarness::Apply(const std::string& path, const std::string& manager, const Json& body,
                            bool force) {
  return Call("PATCH", StrCat(path, "?fieldManager=", manager, force ? "&force=true" : ""), body,
              "application/apply-patch+yaml");
}

std::shared_ptr<ApiHarness::Stream> ApiHarness::Watch(const std::string& path,
                                                      const std::string& accept) {
  auto stream = std::make_shared<Stream>();
  http::HttpRequest request;
  request.path = path;
  request.headers.Set("Accept", accept);
  Stream* raw = stream.get();
  stream->call = transport.Stream(
      std::move(request), {[raw](int status, const http::Headers&) { raw->status = status; },
                           [raw](std::string_view chunk) { raw->text += chunk; },
                           [raw](absl::Status status) {
                             raw->done = true;
                             raw->end = std::move(status);
                           }});
  sim.RunFor(absl::Milliseconds(1));
  return stream;
}

std::vector<Json> ApiHarness::Stream::Events() const {
  std::vector<Json> out;
  std::istringstream lines(text);
  std::string line;
  while (std::getline(lines, line)) out.push_back(Json::parse(line));
  return out;
}

std::vector<std::string> ApiHarness::Stream::Summary() const {
  std::vector<std::string> out;
  for (const Json& event : Events()) {
    out.push_back(
        StrCat(event.value("type", ""), " ", event["object"]["metadata"].value("name", "")));
  }
  return out;
}

void ApiHarness::MakeNamespace(const std::string& name) {
  const ApiAnswer answer = Post("/api/v1/namespaces", {{"metadata", {{"name", name}}}});
  ASSERT_EQ(answer.status, 201) << answer.text;
}

std::vector<std::string> FaultsOf(const ApiAnswer& answer) {
  std::vector<std::string> out;
  if (answer.status < 300) return out;
  const Json details = answer.body.value("details", Json::object());
  for (const Json& cause : details.value("causes", Json::array())) {
    out.push_back(StrCat(cause.value("field", ""), ": ", cause.value("message", "")));
  }
  if (out.empty()) out.push_back(StrCat(answer.status, " ", answer.body.value("message", "")));
  return out;
}

Json ConfigMap(const std::string& name, const Json& data) {
  return {
      {"apiVersion", "v1"}, {"kind", "ConfigMap"}, {"metadata", {{"name", name}}}, {"data", data}};
}

Json Deployment(const std::string& name, int replicas, const std::string& image) {
  return {{"apiVersion", "apps/v1"},
          {"kind", "Deployment"},
          {"metadata", {{"name", name}, {"labels", {{"app", name}}}}},
          {"spec",
           {{"replicas", replicas},
            {"selector", {{"matchLabels", {{"app", name}}}}},
            {"template",
             {{"metadata", {{"labels", {{"app", name}}}}},
              {"spec", {{"containers", Json::array({{{"name", "app"}, {"image", image}}})}}}}}}}};
}

}  // namespace sealane::kubeapi
