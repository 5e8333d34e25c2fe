#include "services/gateway/gateway_service.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ctime>
#include <vector>

#include "tests/unit/lib/http/test_certificate.h"
#include "tests/unit/services/gateway/gateway_fixture.h"

namespace sealane::gateway {
namespace {

using ::testing::HasSubstr;

// A client that does not take its answer.
class Deaf final : public http::ResponseWriter {
 public:
  void Send(http::HttpResponse response) override { status = response.status; }
  void StartStream(int, http::Headers) override {}
  void Write(std::string) override {}
  void End() override {}
  void OnClose(std::function<void()>) override {}
  void Hold(std::shared_ptr<void> held) override { ticket = std::move(held); }
  [[nodiscard]] size_t pending_bytes() const override { return 0; }

  int status = 0;
  std::shared_ptr<void> ticket;
};

TEST_F(GatewayServiceTest, WhatIsWrittenIsReadAndConflictsAreTold) {
  Call(201, "POST", "/api/v1/namespaces", {{"metadata", {{"name", "shop"}}}});
  Json made = Call(201, "POST", kMaps, Map("one", "1"));
  EXPECT_EQ(Call(200, "GET", StrCat(kMaps, "/one")), made);
  Call(409, "POST", kMaps, Map("one", "2"));
  made["data"]["key"] = "2";
  const Json second = Call(200, "PUT", StrCat(kMaps, "/one"), made);
  EXPECT_GT(std::stoull(second["metadata"]["resourceVersion"].get<std::string>()),
            std::stoull(made["metadata"]["resourceVersion"].get<std::string>()));
  Call(409, "PUT", StrCat(kMaps, "/one"), made);
  Call(200, "DELETE", StrCat(kMaps, "/one"));
  Call(404, "GET", StrCat(kMaps, "/one"));
  const Json again = Call(201, "POST", kMaps, Map("one", "3"));
  EXPECT_NE(again["metadata"]["uid"], made["metadata"]["uid"]);
}

TEST_F(GatewayServiceTest, WhatIntakeRefusesIsAnErrorOfTheApi) {
  const Json refused =
      Call(422, "POST", "/apis/policy.karmada.io/v1alpha1/namespaces/default/propagationpolicies",
           {{"metadata", {{"name", "p"}}},
            {"spec",
             {{"resourceSelectors", Json::array()},
              {"placement", {{"replicaScheduling", {{"replicaSchedulingType", "Halved"}}}}}}}});
  EXPECT_EQ(refused["reason"], "Invalid");
  bool named = false;
  for (const Json& cause : refused["details"]["causes"]) {
    named = named || cause.value("field", "").find("replicaSchedulingType") != std::string::npos;
  }
  EXPECT_TRUE(named) << refused.dump(1);
}

TEST_F(GatewayServiceTest, ADryRunSaysWhatIntakeWouldSay) {
  const std::string policies = "/apis/policy.karmada.io/v1alpha1/clusterpropagationpolicies";
  const Json refused =
      Call(422, "POST", StrCat(policies, "?dryRun=All"),
           {{"metadata", {{"name", "p"}}},
            {"spec", {{"resourceSelectors", Json::array()}, {"preemption", "Sometimes"}}}});
  EXPECT_THAT(refused["details"]["causes"].dump(), HasSubstr("spec.preemption"));
  const std::string clusters = "/apis/cluster.karmada.io/v1alpha1/clusters";
  const Json cluster = {{"metadata", {{"name", "c"}}},
                        {"spec",
                         {{"syncMode", "Push"},
                          {"apiEndpoint", "https://c"},
                          {"colour", "red"},
                          {"taints", {{{"key", "k"}, {"effect", "NoExecute"}}}}}}};
  for (const std::string query : {"?dryRun=All", ""}) {
    const auto made = Ask("POST", StrCat(clusters, query), cluster);
    ASSERT_TRUE(sim_.RunUntil([&] { return made->answer.has_value(); }, absl::Seconds(40)));
    EXPECT_EQ(made->answer->status, 201) << made->answer->body;
    std::string warnings;
    for (const auto& [name, value] : made->answer->headers.fields()) {
      if (name == "Warning") warnings += value;
    }
    EXPECT_THAT(warnings, HasSubstr("spec.apiEndpoint has no effect"));
    EXPECT_THAT(warnings, HasSubstr("spec.syncMode Push has no effect"));
    EXPECT_THAT(warnings, HasSubstr("spec.colour is no field of a Cluster"));
  }
  // When the taint came is for the fleet to say.
  const Json read = Call(200, "GET", StrCat(clusters, "/c"));
  EXPECT_FALSE(read["spec"]["taints"][0].contains("timeAdded")) << read.dump(1);
  const Json bare = Call(422, "POST", "/apis/policy.karmada.io/v1alpha1/clustertaintpolicies",
                         {{"metadata", {{"name", "t"}}}, {"spec", Json::object()}});
  EXPECT_THAT(bare["message"], HasSubstr("spec.taints"));
}

TEST_F(GatewayServiceTest, TheSamePolicyAgainIsNoChange) {
  const std::string policies =
      "/apis/policy.karmada.io/v1alpha1/namespaces/default/overridepolicies";
  // Intake gives the selector its namespace.
  Json policy = {
      {"metadata", {{"name", "p"}}},
      {"spec",
       {{"resourceSelectors", {{{"apiVersion", "v1"}, {"kind", "ConfigMap"}, {"name", "c"}}}},
        {"overrideRules", {{{"overriders", Json::object()}}}}}}};
  const Json made = Call(201, "POST", policies, policy);
  EXPECT_EQ(made["spec"]["resourceSelectors"][0]["namespace"], "default");
  policy["metadata"]["resourceVersion"] = made["metadata"]["resourceVersion"];
  const Json again = Call(200, "PUT", StrCat(policies, "/p"), policy);
  EXPECT_EQ(again["metadata"]["resourceVersion"], made["metadata"]["resourceVersion"]);
}

TEST_F(GatewayServiceTest, TwoGatewaysCountAlikeAlsoAfterARestart) {
  Call(201, "POST", "/api/v1/namespaces", {{"metadata", {{"name", "shop"}}}});
  Begin(1);
  Call(201, "POST", kMaps, Map("one", "1"), 1);
  for (int i = 0; i < 20; ++i) {
    const Json now = Call(200, "GET", StrCat(kMaps, "/one"), Json(), i % 2);
    Json next = now;
    next["data"]["key"] = std::to_string(i);
    Call(200, "PUT", StrCat(kMaps, "/one"), next, i % 2);
  }
  const Json list = Call(200, "GET", kMaps);
  EXPECT_EQ(Call(200, "GET", kMaps, Json(), 1)["items"], list["items"]);
  // The one that copied ends without a word; the other goes on.
  End(0);
  Call(201, "POST", kMaps, Map("two", "1"), 1);
  Begin(0);
  EXPECT_EQ(Call(200, "GET", StrCat(kMaps, "/one")),
            Call(200, "GET", StrCat(kMaps, "/one"), Json(), 1));
  // Watches from a revision since which something is missing are told to list again.
  const auto old = Ask("GET", StrCat(kMaps, "?watch=1&resourceVersion=1"));
  sim_.RunFor(absl::Seconds(1));
  ASSERT_TRUE(old->answer.has_value());
  EXPECT_THAT(old->answer->body, HasSubstr("410"));
  const auto fresh = Ask("GET", StrCat(kMaps, "?watch=1&resourceVersion=",
                                       list["metadata"]["resourceVersion"].get<std::string>()));
  sim_.RunFor(absl::Seconds(1));
  EXPECT_THAT(fresh->answer->body, HasSubstr("\"name\":\"two\""));
}

TEST_F(GatewayServiceTest, WhoIsNotKnownOrMayNotIsRefused) {
  EXPECT_EQ(Ask("GET", kMaps, Json(), 0, "")->answer->status, 401);
  EXPECT_EQ(Ask("GET", kMaps, Json(), 0, "wrong")->answer->status, 401);
  const auto eve = Ask("GET", kMaps, Json(), 0, "fedcba9876543210");
  EXPECT_EQ(eve->answer->status, 403);
  EXPECT_THAT(eve->answer->body, HasSubstr("eve"));
  EXPECT_EQ(Ask("GET", "/readyz", Json(), 0, "")->answer->status, 200);
  // A role gives her what it says, and no more.
  Call(201, "POST", "/api/v1/namespaces", {{"metadata", {{"name", "shop"}}}});
  const std::string rbac = "/apis/rbac.authorization.k8s.io/v1/namespaces/shop/";
  Call(201, "POST", StrCat(rbac, "roles"),
       {{"metadata", {{"name", "reader"}}},
        {"rules",
         {{{"apiGroups", {""}}, {"resources", {"configmaps"}}, {"verbs", {"get", "list"}}}}}});
  Call(201, "POST", StrCat(rbac, "rolebindings"),
       {{"metadata", {{"name", "eve"}}},
        {"roleRef",
         {{"apiGroup", "rbac.authorization.k8s.io"}, {"kind", "Role"}, {"name", "reader"}}},
        {"subjects",
         {{{"kind", "User"}, {"apiGroup", "rbac.authorization.k8s.io"}, {"name", "eve"}}}}});
  EXPECT_EQ(Ask("GET", kMaps, Json(), 0, "fedcba9876543210")->answer->status, 200);
  EXPECT_EQ(Ask("POST", kMaps, Map("x", "1"), 0, "fedcba9876543210")->answer->status, 403);
  EXPECT_EQ(Ask("GET", "/api/v1/namespaces/other/configmaps", Json(), 0, "fedcba9876543210")
                ->answer->status,
            403);
}

TEST_F(GatewayServiceTest, EachWriteIsAnsweredWithWhatItWroteAlsoAmongOthers) {
  Call(201, "POST", "/api/v1/namespaces", {{"metadata", {{"name", "shop"}}}});
  for (int i = 0; i < 10; ++i) Call(201, "POST", kMaps, Map(StrCat("m", i), "0"));
  for (int round = 1; round <= 5; ++round) {
    std::vector<std::shared_ptr<Answer>> answers;
    for (int i = 0; i < 10; ++i) {
      // A second one for the same object meets the first, and is planned again from what that
      // wrote.
      const Json patch = {{"data", {{"key", StrCat(round, "-", i)}}}};
      answers.push_back(Ask("PATCH", StrCat(kMaps, "/m", i), patch));
      answers.push_back(
          Ask("PATCH", StrCat(kMaps, "/m", i), {{"data", {{"other", StrCat(round)}}}}));
    }
    ASSERT_TRUE(sim_.RunUntil(
        [&] {
          return std::all_of(answers.begin(), answers.end(),
                             [](const auto& a) { return a->answer.has_value(); });
        },
        absl::Seconds(40)));
    for (int i = 0; i < 10; ++i) {
      const http::HttpResponse& first = *answers[2 * i]->answer;
      ASSERT_EQ(first.status, 200) << first.body;
      EXPECT_EQ(Json::parse(first.body)["data"]["key"], StrCat(round, "-", i));
      const http::HttpResponse& second = *answers[2 * i + 1]->answer;
      ASSERT_EQ(second.status, 200) << second.body;
      EXPECT_EQ(Json::parse(second.body)["data"],
                Json({{"key", StrCat(round, "-", i)}, {"other", StrCat(round)}}));
    }
  }
}

TEST_F(GatewayServiceTest, BodiesThatAreTooDeepAreRefused) {
  http::HttpRequest request;
  request.method = "POST";
  request.path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
  request.headers.Add("Authorization", "Bearer fedcba9876543210");
  request.headers.Add("Content-Type", "application/json");
  request.body =
      StrCat(R"({"spec": {"a": )", std::string(200'000, '['), std::string(200'000, ']'), "}}");
  const auto writer = std::make_shared<Answer>();
  gateways_[0]->Handle(request, writer);
  ASSERT_TRUE(writer->answer.has_value());
  EXPECT_EQ(writer->answer->status, 400);
}

TEST_F(GatewayServiceTest, OneUserCannotTakeAllPlacesOfWrites) {
  policy_.reset();  // nothing is answered
  const Json ns = {{"metadata", {{"name", "x"}}}};
  std::vector<std::shared_ptr<Answer>> waiting;
  for (int i = 0; i < 200; ++i) waiting.push_back(Ask("POST", "/api/v1/namespaces", ns));
  const auto more = Ask("POST", "/api/v1/namespaces", ns);
  ASSERT_TRUE(more->answer.has_value());
  EXPECT_EQ(more->answer->status, 429);
  EXPECT_EQ(more->answer->headers.Get("Retry-After"), "1");
  // Others are still heard, here to be told that they may not.
  EXPECT_EQ(Ask("POST", "/api/v1/namespaces", ns, 0, "fedcba9876543210")->answer->status, 403);
  sim_.RunFor(absl::Seconds(40));
  for (const auto& one : waiting) EXPECT_EQ(one->answer->status, 504);
  EXPECT_FALSE(Ask("POST", "/api/v1/namespaces", ns)->answer.has_value())
      << "places are given back";
}

TEST_F(GatewayServiceTest, NobodyAnswersIsNotAWrongSuccess) {
  policy_.reset();
  const Json late = Call(504, "POST", "/api/v1/namespaces", {{"metadata", {{"name", "late"}}}});
  EXPECT_THAT(late["message"].get<std::string>(), HasSubstr("may still be made"));
}

TEST_F(GatewayServiceTest, PlatformsCannotSayWhatTheApiShows) {
  v1::DeployEvent event;
  event.set_id("e1");
  v1::Operation& operation = *event.add_operations();
  operation.set_type(v1::Operation::APPLY);
  operation.set_manifest(R"({"apiVersion": "v1", "kind": "ConfigMap",
      "metadata": {"name": "plain", "namespace": "shop"}})");
  operation.set_api_metadata(R"({"metadata": {"deletionTimestamp": "2025-01-01T00:00:00Z"}})");
  AppendRequest request;
  request.subject = hub::Deploy("paas");
  request.payload = event.SerializeAsString();
  policy_bus_->Append(request, [](const absl::StatusOr<Appended>&) {});
  sim_.RunFor(absl::Seconds(2));
  EXPECT_FALSE(Call(200, "GET", StrCat(kMaps, "/plain"))["metadata"].contains("deletionTimestamp"));
  EXPECT_EQ(Call(200, "GET", "/api/v1/namespaces/shop")["status"]["phase"], "Active")
      << "nobody made it, but objects are in it";
}

TEST_F(GatewayServiceTest, ReadsAndWatchesOfOneUserAreBounded) {
  Call(201, "POST", "/api/v1/namespaces", {{"metadata", {{"name", "shop"}}}});
  http::HttpRequest request;
  request.path = kMaps;
  request.headers.Add("Authorization", "Bearer 0123456789abcdef");
  std::vector<std::shared_ptr<Answer>> answers;
  for (int i = 0; i < 501; ++i) {
    answers.push_back(std::make_shared<Answer>());
    gateways_[0]->Handle(request, answers.back());
  }
  ASSERT_TRUE(answers.back()->answer.has_value());
  EXPECT_EQ(answers.back()->answer->status, 429);
  EXPECT_EQ(answers.back()->answer->headers.Get("Retry-After"), "1");
  sim_.RunFor(absl::Milliseconds(10));
  answers.pop_back();
  for (const auto& answer : answers) EXPECT_EQ(answer->answer->status, 200);
  std::vector<std::shared_ptr<Answer>> watches;
  for (int i = 0; i < 2000; ++i) watches.push_back(Ask("GET", StrCat(kMaps, "?watch=1")));
  EXPECT_EQ(watches.back()->answer->status, 200);
  EXPECT_EQ(Ask("GET", StrCat(kMaps, "?watch=1"))->answer->status, 429);
  EXPECT_THAT(registry_.Expose(),
              HasSubstr("sealane_gateway_refused_total{reason=\"too_many_watches\"} 1\n"));
}

TEST_F(GatewayServiceTest, AServiceAccountIsWhoItsTokenSays) {
  Call(201, "POST", "/api/v1/namespaces", {{"metadata", {{"name", "shop"}}}});
  const std::string account = "/api/v1/namespaces/shop/serviceaccounts";
  Call(201, "POST", account, {{"metadata", {{"name", "robot"}}}});
  const Json answer =
      Call(201, "POST", StrCat(account, "/robot/token"), {{"spec", {{"expirationSeconds", 600}}}});
  const std::string token = answer["status"]["token"];
  EXPECT_EQ(Code(token), 403);
  Allow("robot");
  EXPECT_EQ(Code(token), 200);
  const Json review = Call(201, "POST", "/apis/authentication.k8s.io/v1/tokenreviews",
                           {{"spec", {{"token", token}}}});
  EXPECT_EQ(review["status"]["user"]["username"], "system:serviceaccount:shop:robot");
  const Json unknown = Call(201, "POST", "/apis/authentication.k8s.io/v1/tokenreviews",
                            {{"spec", {{"token", "x"}}}});
  EXPECT_EQ(unknown["status"]["authenticated"], false);
  // Tokens are given to whom the right is given.
  EXPECT_EQ(Ask("POST", StrCat(account, "/robot/token"), Json::object(), 0, "fedcba9876543210")
                ->answer->status,
            403);
  Call(404, "POST", StrCat(account, "/none/token"), Json::object());
  Call(422, "POST", StrCat(account, "/robot/token"), {{"spec", {{"audiences", {"vault"}}}}});
  Call(200, "DELETE", StrCat(account, "/robot"));
  EXPECT_EQ(Code(token), 401);
}

TEST_F(GatewayServiceTest, IdTokensOfTheIssuerAreUsersUntilItsKeysChange) {
  Call(201, "POST", "/api/v1/namespaces", {{"metadata", {{"name", "shop"}}}});
  const std::string token = IdToken(issuer_, "ann");
  EXPECT_EQ(Code(token), 403);
  Allow("ann");
  EXPECT_EQ(Code(token), 200);
  EXPECT_EQ(Code(IdToken(issuer_, "ann", -60)), 401) << "expired";
  EXPECT_EQ(Code(IdToken(kubeauth::TestKey::Ec(), "ann")), 401) << "another key";
  EXPECT_EQ(Code(IdToken(issuer_, "system:admin")), 401);
  const kubeauth::TestKey next = kubeauth::TestKey::Ec();
  WriteKeys(next);
  WriteFile("jwks.json.old", "");  // other files do not matter
  sim_.RunFor(absl::Seconds(11));
  EXPECT_EQ(Code(IdToken(next, "ann")), 200);
  EXPECT_EQ(Code(token), 401);
}

TEST_F(GatewayServiceTest, FilesOfCredentialsAreReadAgainAndBadOnesAreNotTaken) {
  WriteFile("tokens", StrCat(kTokens, "newcomers-token-123,bob,,system:masters\n"));
  EXPECT_EQ(Code("newcomers-token-123"), 401);
  sim_.RunFor(absl::Seconds(11));
  EXPECT_EQ(Code("newcomers-token-123"), 200);
  WriteFile("tokens", "\"");
  sim_.RunFor(absl::Seconds(11));
  EXPECT_EQ(Code("newcomers-token-123"), 200);
  WriteFile("tokens", "0123456789abcdef,me,,system:masters\n");
  sim_.RunFor(absl::Seconds(11));
  EXPECT_EQ(Code("newcomers-token-123"), 401);
  EXPECT_EQ(Code("0123456789abcdef"), 200);
}

TEST_F(GatewayServiceTest, HowFarBehindItShowsIsMeasuredFromTheRow) {
  const auto lag = [this](const char* what) {
    const std::string text = registry_.Expose();
    const std::string line = StrCat("\nsealane_gateway_lag_seconds_", what, " ");
    const size_t at = text.find(line);
    return at == std::string::npos ? -1 : std::stod(text.substr(at + line.size()));
  };
  EXPECT_EQ(lag("count"), 0) << "what was there before it served is not late";
  Call(201, "POST", "/api/v1/namespaces", {{"metadata", {{"name", "shop"}}}});
  Call(201, "POST", kMaps, Map("one", "1"));
  sim_.RunFor(absl::Seconds(1));
  const double count = lag("count");
  EXPECT_GE(count, 2);
  EXPECT_LT(lag("sum"), count) << "less than a second each";
  // Nobody copies for a while: what is shown then was late.
  Begin(1);
  End(0);
  const double before = lag("sum");
  const auto write = Ask("PUT", StrCat(kMaps, "/one"), Map("one", "2"), 1);
  ASSERT_TRUE(sim_.RunUntil([&] { return write->answer.has_value(); }, absl::Seconds(40)));
  EXPECT_EQ(write->answer->status, 200);
  EXPECT_GT(lag("sum") - before, 1);
}

TEST_F(GatewayServiceTest, TheEndOfTheCertificateIsToldAsTheFileHasItNow) {
  const auto expiry = [this] {
    const std::string text = registry_.Expose();
    const std::string line = "\nsealane_gateway_certificate_expiry_timestamp_seconds ";
    const size_t at = text.find(line);
    return at == std::string::npos ? -1 : std::stod(text.substr(at + line.size()));
  };
  EXPECT_EQ(expiry(), 0) << "the file is no certificate";
  WriteFile("cert", http::MakeCertificate(86400).certificate);
  sim_.RunFor(absl::Seconds(11));
  EXPECT_NEAR(expiry(), static_cast<double>(time(nullptr)) + 86400, 60);
  WriteFile("cert", http::MakeCertificate(1000000).certificate);
  sim_.RunFor(absl::Seconds(11));
  EXPECT_NEAR(expiry(), static_cast<double>(time(nullptr)) + 1000000, 60);
}

TEST_F(GatewayServiceTest, AWatchEndsWithTheRightToIt) {
  Call(201, "POST", "/api/v1/namespaces", {{"metadata", {{"name", "shop"}}}});
  Allow("eve");
  const auto watch = Ask("GET", StrCat(kMaps, "?watch=1"), Json(), 0, "fedcba9876543210");
  sim_.RunFor(absl::Minutes(3));
  ASSERT_TRUE(watch->answer.has_value());
  EXPECT_FALSE(watch->ended);
  Call(200, "DELETE", "/apis/rbac.authorization.k8s.io/v1/namespaces/shop/rolebindings/eve");
  sim_.RunFor(absl::Minutes(1));
  EXPECT_TRUE(watch->ended);
}

TEST_F(GatewayServiceTest, AWriteIsUnderWayUntilItsAnswerIsTaken) {
  Call(201, "POST", "/api/v1/namespaces", {{"metadata", {{"name", "shop"}}}});
  http::HttpRequest request;
  request.method = "POST";
  request.path = StrCat(kMaps, "?dryRun=All");
  request.headers.Add("Authorization", "Bearer 0123456789abcdef");
  request.headers.Add("Content-Type", "application/json");
  request.body = Map("one", "1").dump();
  std::vector<std::shared_ptr<Deaf>> clients;
  const auto ask = [&] {
    clients.push_back(std::make_shared<Deaf>());
    gateways_[0]->Handle(request, clients.back());
    sim_.RunFor(absl::Milliseconds(1));
    return clients.back()->status;
  };
  for (int i = 0; i < 200; ++i) ASSERT_EQ(ask(), 201) << i;
  EXPECT_EQ(ask(), 429);
  clients[0]->ticket = nullptr;
  EXPECT_EQ(ask(), 201);
  EXPECT_EQ(ask(), 429);
}

}  // namespace
}  // namespace sealane::gateway
