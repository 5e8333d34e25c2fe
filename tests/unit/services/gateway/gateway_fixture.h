// Gateways beside a real policy service, on the bus in memory and virtual time.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "lib/bus/memory_bus.h"
#include "lib/bus/subjects.h"
#include "lib/core/json.h"
#include "lib/core/sim_executor.h"
#include "lib/core/strings.h"
#include "lib/kubeauth/jwt.h"
#include "services/gateway/gateway_service.h"
#include "services/policy/policy_service.h"
#include "tests/support/subprocess.h"
#include "tests/unit/lib/kubeauth/test_keys.h"

namespace sealane::gateway {

inline constexpr char kTokens[] = "0123456789abcdef,me,,system:masters\nfedcba9876543210,eve,\n";
inline constexpr char kMaps[] = "/api/v1/namespaces/shop/configmaps";

class Answer final : public http::ResponseWriter {
 public:
  void Send(http::HttpResponse response) override { answer = std::move(response); }
  void StartStream(int status, http::Headers) override {
    answer = http::HttpResponse{status, {}, ""};
  }
  void Write(std::string chunk) override { answer->body += chunk; }
  void End() override { ended = true; }
  void OnClose(std::function<void()>) override {}
  [[nodiscard]] size_t pending_bytes() const override { return 0; }

  std::optional<http::HttpResponse> answer;
  bool ended = false;
};

class GatewayServiceTest : public ::testing::Test {
 protected:
  GatewayServiceTest() : sim_(7), server_(sim_.env()), policy_bus_(Connect()) {
    for (std::string_view name :
         {kAppStatusTable, kClusterStatusTable, kPlacementsTable, kWorkStatusTable, kEventsLog}) {
      StreamConfig config;
      config.name = std::string(name);
      config.subjects = {StrCat(name, ".>")};
      policy_bus_->EnsureStream(config, [](const absl::Status&) {});
    }
    policy::PolicyOptions options;
    options.elect_leader = false;
    policy_ = policy::MakePolicyService({sim_.env(), *policy_bus_, registry_, "policy"}, options);
    policy_->Start();
    WriteFile("tokens", kTokens);
    WriteFile("cert", "not looked at without a server");
    WriteFile("key", "");
    WriteFile("accounts.pem", kubeauth::TestKey::Ec().Pem());
    WriteKeys(issuer_);
    options_.token_file = File("tokens");
    options_.tls_certificate = File("cert");
    options_.tls_key = File("key");
    options_.service_account_key = File("accounts.pem");
    options_.oidc_keys = File("jwks.json");
    options_.oidc.issuer = "https://login.example.com";
    options_.oidc.client_id = "fleet";
    options_.oidc.username_prefix = "-";
    Begin(0);
  }
  [[nodiscard]] std::string File(const std::string& name) const {
    return StrCat(directory_.path(), "/", name);
  }
  void WriteFile(const std::string& name, const std::string& text) {
    std::ofstream(File(name), std::ios::trunc) << text;
  }
  void WriteKeys(const kubeauth::TestKey& key) {
    const auto mine = kubeauth::ParsePrivateKey(key.Pem());
    const std::string kid = kubeauth::TakeApart(*kubeauth::Sign(Json::object(), *mine))->kid;
    WriteFile("jwks.json", Json({{"keys", Json::array({key.Jwk(kid)})}}).dump());
  }
  // An ID token of that user.
  std::string IdToken(const kubeauth::TestKey& key, const std::string& user, int seconds = 3600) {
    const Json claims = {{"iss", options_.oidc.issuer},
                         {"aud", "fleet"},
                         {"sub", user},
                         {"exp", absl::ToUnixSeconds(sim_.env().clock.Now()) + seconds}};
    return *kubeauth::Sign(claims, *kubeauth::ParsePrivateKey(key.Pem()));
  }
  // The code that the user of a token is answered with.
  int Code(const std::string& token, const std::string& path = kMaps) {
    const auto writer = Ask("GET", path, Json(), 0, token);
    EXPECT_TRUE(sim_.RunUntil([&] { return writer->answer.has_value(); }, absl::Seconds(40)));
    return writer->answer.has_value() ? writer->answer->status : 0;
  }
  void Allow(const std::string& user) {
    const std::string rbac = "/apis/rbac.authorization.k8s.io/v1/namespaces/shop/";
    Call(201, "POST", StrCat(rbac, "roles"),
         {{"metadata", {{"name", "reader"}}},
          {"rules",
           {{{"apiGroups", {""}},
             {"resources", {"configmaps"}},
             {"verbs", {"get", "list", "watch"}}}}}});
    const bool account = user == "robot";
    Json subject = {{"kind", account ? "ServiceAccount" : "User"}, {"name", user}};
    subject[account ? "namespace" : "apiGroup"] = account ? "shop" : "rbac.authorization.k8s.io";
    Call(201, "POST", StrCat(rbac, "rolebindings"),
         {{"metadata", {{"name", user}}},
          {"roleRef",
           {{"apiGroup", "rbac.authorization.k8s.io"}, {"kind", "Role"}, {"name", "reader"}}},
          {"subjects", Json::array({subject})}});
  }
  std::unique_ptr<Bus> Connect() { return server_.Connect(BusIdentity::Hub()); }
  void Begin(int i) {
    buses_[i] = Connect();
    auto credentials =
        Credentials::Load(sim_.env(), options_, GatewayMetrics::ForCredentials(registry_));
    ASSERT_TRUE(credentials.ok()) << credentials.status();
    gateways_[i] = std::make_unique<GatewayService>(
        ServiceContext{sim_.env(), *buses_[i], registry_, "gateway"}, options_,
        *std::move(credentials));
    gateways_[i]->Start();
    std::string why;
    ASSERT_TRUE(sim_.RunUntil([&] { return gateways_[i]->Ready(&why); }, absl::Seconds(20))) << why;
    sim_.RunFor(absl::Seconds(6));  // somebody leads
  }
  void End(int i) {
    gateways_[i].reset();
    buses_[i].reset();
  }
  std::shared_ptr<Answer> Ask(const std::string& method, const std::string& path,
                              const Json& body = Json(), int i = 0,
                              const std::string& token = "0123456789abcdef") {
    http::HttpRequest request;
    request.method = method;
    request.path = path;
    if (!token.empty()) request.headers.Add("Authorization", StrCat("Bearer ", token));
    request.headers.Add("Content-Type",
                        method == "PATCH" ? "application/merge-patch+json" : "application/json");
    if (!body.is_null()) request.body = body.dump();
    auto writer = std::make_shared<Answer>();
    gateways_[i]->Handle(request, writer);
    if (method == "GET") sim_.RunFor(absl::Milliseconds(1));  // reads are served in turn
    return writer;
  }
  Json Call(int code, const std::string& method, const std::string& path, const Json& body = Json(),
            int i = 0) {
    const auto writer = Ask(method, path, body, i);
    EXPECT_TRUE(sim_.RunUntil([&] { return writer->answer.has_value(); }, absl::Seconds(40)));
    if (!writer->answer.has_value()) return Json();
    EXPECT_EQ(writer->answer->status, code) << writer->answer->body;
    return Json::parse(writer->answer->body, nullptr, false);
  }
  static Json Map(const std::string& name, const std::string& value) {
    return {{"metadata", {{"name", name}}}, {"data", {{"key", value}}}};
  }

  SimExecutor sim_;
  MemoryServer server_;
  Registry registry_;
  std::unique_ptr<Bus> policy_bus_;
  std::unique_ptr<Service> policy_;
  TempDir directory_;
  Options options_;
  kubeauth::TestKey issuer_ = kubeauth::TestKey::Ec();
  std::array<std::unique_ptr<Bus>, 2> buses_;
  std::array<std::unique_ptr<GatewayService>, 2> gateways_;
};

}  // namespace sealane::gateway
