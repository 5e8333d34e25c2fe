#include "lib/kube/kubeconfig.h"

#include <sys/stat.h>

#include <cstdlib>
#include <fstream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/core/event_loop.h"
#include "lib/core/sim_executor.h"
#include "lib/core/strings.h"
#include "tests/support/status_matchers.h"
#include "tests/support/subprocess.h"

namespace sealane::kube {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr char kConfig[] = R"(
apiVersion: v1
kind: Config
current-context: one
clusters:
- name: c1
  cluster: {server: "https://10.0.0.1:6443", certificate-authority-data: Q0E=, tls-server-name: kube,
            proxy-url: "http://proxy:3128"}
- name: c2
  cluster: {server: "http://127.0.0.1:8080", insecure-skip-tls-verify: true}
- name: bad
  cluster: {server: "ftp://x"}
users:
- name: u1
  user: {client-certificate-data: Q0VSVA==, client-key-data: S0VZ}
- name: u2
  user: {token: secret}
- name: u3
  user: {tokenFile: token}
- name: u4
  user:
    exec:
      apiVersion: client.authentication.k8s.io/v1
      command: ./plugin
      args: [get, token]
      env: [{name: REGION, value: x}]
      installHint: install it
- name: half
  user: {client-certificate-data: Q0VSVA==}
- name: old
  user: {auth-provider: {name: gcp}}
contexts:
- {name: one, context: {cluster: c1, user: u1, namespace: ns}}
- {name: two, context: {cluster: c2, user: u2}}
- {name: three, context: {cluster: c2, user: u3}}
- {name: four, context: {cluster: c2, user: u4}}
- {name: half, context: {cluster: c2, user: half}}
- {name: old, context: {cluster: c2, user: old}}
- {name: bad, context: {cluster: bad, user: u2}}
- {name: lost, context: {cluster: nowhere, user: u2}}
- {name: nobody, context: {cluster: c2, user: nobody}}
)";

TEST(KubeconfigTest, ReadsTheCurrentContext) {
  const auto access = ParseKubeconfig(kConfig, "", "/dir");
  ASSERT_OK(access);
  EXPECT_EQ(access->server, "https://10.0.0.1:6443");
  EXPECT_EQ(access->ca_pem, "CA");
  EXPECT_EQ(access->client_cert_pem, "CERT");
  EXPECT_EQ(access->client_key_pem, "KEY");
  EXPECT_EQ(access->tls_server_name, "kube");
  EXPECT_EQ(access->proxy_url, "http://proxy:3128");
  EXPECT_EQ(access->default_namespace, "ns");
  EXPECT_FALSE(access->insecure_skip_tls_verify);
}

TEST(KubeconfigTest, ReadsAChosenContext) {
  const auto access = ParseKubeconfig(kConfig, "two", "/dir");
  ASSERT_OK(access);
  EXPECT_TRUE(access->insecure_skip_tls_verify);
  EXPECT_EQ(access->token, "secret");
  EXPECT_EQ(ParseKubeconfig(kConfig, "three", "/dir")->token_file, "/dir/token");
  const auto plugin = ParseKubeconfig(kConfig, "four", "/dir");
  ASSERT_OK(plugin);
  ASSERT_TRUE(plugin->exec);
  EXPECT_THAT(plugin->exec->argv, ElementsAre("/dir/./plugin", "get", "token"));
  EXPECT_EQ(plugin->exec->environment.at("REGION"), "x");
}

TEST(KubeconfigTest, SaysWhatIsWrong) {
  const auto error = [](std::string_view text, std::string_view context) {
    return std::string(ToStd(ParseKubeconfig(text, context, "").status().message()));
  };
  EXPECT_THAT(error("clusters: []", ""), HasSubstr("current-context"));
  EXPECT_THAT(error(kConfig, "six"), HasSubstr("contexts has no entry named \"six\""));
  EXPECT_THAT(error(kConfig, "lost"), HasSubstr("clusters has no entry named \"nowhere\""));
  EXPECT_THAT(error(kConfig, "nobody"), HasSubstr("users has no entry named \"nobody\""));
  EXPECT_THAT(error(kConfig, "bad"), HasSubstr("http or https"));
  EXPECT_THAT(error(kConfig, "half"), HasSubstr("client-key"));
  EXPECT_THAT(error(kConfig, "old"), HasSubstr("auth-provider"));
  EXPECT_THAT(error("{", ""), HasSubstr("kubeconfig"));
  EXPECT_THAT(error("[]", ""), HasSubstr("not a mapping"));
  EXPECT_THAT(LoadKubeconfig("/nowhere/config").status(),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("/nowhere/config")));
}

TEST(KubeconfigTest, InClusterNeedsAPod) {
  unsetenv("KUBERNETES_SERVICE_HOST");
  EXPECT_THAT(InClusterAccess(),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("--kubeconfig")));
  const TempDir dir;
  std::ofstream(dir.path() + "/ca.crt") << "CA";
  setenv("KUBERNETES_SERVICE_HOST", "fd00::1", 1);
  setenv("KUBERNETES_SERVICE_PORT", "443", 1);
  const auto access = InClusterAccess(dir.path());
  unsetenv("KUBERNETES_SERVICE_HOST");
  ASSERT_OK(access);
  EXPECT_EQ(access->server, "https://[fd00::1]:443");
  EXPECT_EQ(access->token_file, dir.path() + "/token");
}

absl::StatusOr<std::string> Ask(Credentials& credentials) {
  absl::StatusOr<std::string> out = absl::UnknownError("no answer");
  credentials.Authorize([&](absl::StatusOr<std::string> header) { out = std::move(header); });
  return out;
}

TEST(CredentialsTest, ATokenFileIsReadAgainAfterAMinute) {
  const TempDir dir;
  const std::string path = dir.path() + "/token";
  SimExecutor sim(1);
  auto credentials = TokenFileCredentials(sim.env(), path);
  EXPECT_THAT(Ask(*credentials), StatusIs(absl::StatusCode::kUnauthenticated, HasSubstr(path)));
  std::ofstream(path) << "first\n";
  EXPECT_EQ(*Ask(*credentials), "Bearer first");
  std::ofstream(path) << "second\n";
  EXPECT_EQ(*Ask(*credentials), "Bearer first");
  sim.RunFor(absl::Seconds(61));
  EXPECT_EQ(*Ask(*credentials), "Bearer second");
  std::ofstream(path) << "third\n";
  credentials->Invalidate();
  EXPECT_EQ(*Ask(*credentials), "Bearer third");
}

TEST(CredentialsTest, BasicAndStatic) {
  EXPECT_EQ(BasicHeader("u", "p"), "Basic dTpw");
  EXPECT_EQ(*Ask(*StaticCredentials("Bearer x")), "Bearer x");
}

TEST(CredentialsTest, ReadsAnExecCredential) {
  const auto token = ParseExecCredential(
      R"({"kind":"ExecCredential","status":{"token":"t","expirationTimestamp":"2030-01-01T00:00:00Z"}})");
  ASSERT_OK(token);
  EXPECT_EQ(token->token, "t");
  EXPECT_EQ(token->expires, absl::FromUnixSeconds(1893456000));
  const auto certificate = ParseExecCredential(
      R"({"kind":"ExecCredential","status":{"clientCertificateData":"C","clientKeyData":"K"}})");
  ASSERT_OK(certificate);
  EXPECT_EQ(certificate->token, "");
  EXPECT_EQ(certificate->certificate_pem, "C");
  EXPECT_EQ(certificate->key_pem, "K");
  EXPECT_THAT(
      ParseExecCredential(R"({"kind":"ExecCredential","status":{"clientCertificateData":"C"}})")
          .status(),
      StatusIs(absl::StatusCode::kUnauthenticated, HasSubstr("clientKeyData")));
  EXPECT_FALSE(ParseExecCredential("oops").ok());
  EXPECT_FALSE(ParseExecCredential(R"({"kind":"ExecCredential","status":{}})").ok());
  EXPECT_FALSE(ParseExecCredential(
                   R"({"kind":"ExecCredential","status":{"token":"t","expirationTimestamp":"x"}})")
                   .ok());
}

// With a real child process on a real event loop, polled with a deadline.
absl::StatusOr<std::string> AskLoop(EventLoop& loop, Credentials& credentials) {
  absl::StatusOr<std::string> out = absl::UnknownError("no answer");
  loop.Post([&] {
    credentials.Authorize([&](absl::StatusOr<std::string> header) {
      out = std::move(header);
      loop.RequestStop();
    });
  });
  loop.Run();
  return out;
}

TEST(CredentialsTest, RunsAPlugin) {
  const TempDir dir;
  const std::string path = dir.path() + "/plugin";
  std::ofstream(path)
      << "#!/bin/sh\ncase \"$KUBERNETES_EXEC_INFO\" in *ExecCredential*) ;; *) exit 9;; "
         "esac\necho \"{\\\"kind\\\":\\\"ExecCredential\\\",\\\"status\\\":{\\\"token\\\":"
         "\\\"$1-$REGION\\\"}}\"\n";
  chmod(path.c_str(), 0755);
  ExecPlugin plugin;
  plugin.argv = {path, "tok"};
  plugin.environment["REGION"] = "eu";
  EventLoop loop;
  auto credentials = ExecCredentials(loop.env(), plugin);
  EXPECT_THAT(AskLoop(loop, *credentials), IsOk());
  EXPECT_EQ(*Ask(*credentials), "Bearer tok-eu");  // kept
}

TEST(CredentialsTest, APluginsCertificateComesBeforeThoseOfFilesAndIsFetchedAnewWhenRefused) {
  const TempDir dir;
  const std::string path = dir.path() + "/plugin";
  // Each run gives another certificate and no token.
  std::ofstream(path) << "#!/bin/sh\necho x >> " << dir.path() << "/runs\nn=$(wc -l < "
                      << dir.path()
                      << "/runs)\necho \"{\\\"kind\\\":\\\"ExecCredential\\\",\\\"status\\\":{"
                         "\\\"clientCertificateData\\\":\\\"C$n\\\",\\\"clientKeyData\\\":"
                         "\\\"K$n\\\"}}\"\n";
  chmod(path.c_str(), 0755);
  EventLoop loop;
  ClusterAccess access;
  access.ca_pem = "CA";
  access.client_cert_pem = "file";
  access.client_key_pem = "file";
  access.exec.emplace();
  access.exec->argv = {path};
  const auto tls = std::make_shared<TlsSource>(loop.env(), access);
  auto credentials = MakeCredentials(loop.env(), access, tls);
  EXPECT_EQ(tls->Current()->client_certificate_pem, "file");
  std::vector<std::string> shown;
  const auto show = [&](const absl::StatusOr<std::string>& header) {
    ASSERT_OK(header);
    EXPECT_EQ(*header, "");
    const auto now = tls->Current();
    shown.push_back(StrCat(now->client_certificate_pem, now->client_key_pem, now->ca_pem));
  };
  loop.Post([&] {
    credentials->Authorize([&](const absl::StatusOr<std::string>& header) {
      show(header);
      credentials->Authorize(show);  // kept
      credentials->Invalidate();
      credentials->Authorize([&](const absl::StatusOr<std::string>& fresh) {
        show(fresh);
        loop.RequestStop();
      });
    });
  });
  loop.Run();
  EXPECT_THAT(shown, ElementsAre("C1K1CA", "C1K1CA", "C2K2CA"));
}

TEST(TlsSourceTest, FilesThatOthersRenewAreReadAgain) {
  const TempDir dir;
  const auto write = [&](const char* name, std::string_view text) {
    // As those who renew certificates do it: a new file takes the place of the old one.
    std::ofstream(dir.path() + "/next") << text;
    ASSERT_EQ(rename((dir.path() + "/next").c_str(), (dir.path() + "/" + name).c_str()), 0);
  };
  write("ca", "CA1");
  write("cert", "C1");
  write("key", "K1");
  const auto access = ParseKubeconfig(R"(
current-context: x
clusters: [{name: x, cluster: {server: "https://x", certificate-authority: ca}}]
users: [{name: x, user: {client-certificate: cert, client-key: key}}]
contexts: [{name: x, context: {cluster: x, user: x}}])",
                                      "", dir.path());
  ASSERT_OK(access);
  SimExecutor sim(1);
  TlsSource tls(sim.env(), *access);
  const auto first = tls.Current();
  EXPECT_EQ(first->ca_pem, "CA1");
  EXPECT_EQ(first->client_key_pem, "K1");
  write("cert", "C2");
  write("key", "K2");
  EXPECT_EQ(tls.Current(), first);  // not looked at for each request
  sim.RunFor(absl::Seconds(11));
  EXPECT_EQ(tls.Current()->client_certificate_pem, "C2");
  EXPECT_EQ(tls.Current()->client_key_pem, "K2");
  EXPECT_EQ(first->client_key_pem, "K1");  // requests under way keep theirs
  write("ca", "CA2");
  sim.RunFor(absl::Seconds(11));
  EXPECT_EQ(tls.Current()->ca_pem, "CA2");
  // What is lost is kept as it was; what comes back is taken.
  std::remove((dir.path() + "/key").c_str());
  write("cert", "C3");
  sim.RunFor(absl::Seconds(11));
  EXPECT_EQ(tls.Current()->client_certificate_pem, "C2");
  EXPECT_EQ(tls.Current()->client_key_pem, "K2");
  write("key", "K3");
  sim.RunFor(absl::Seconds(11));
  EXPECT_EQ(tls.Current()->client_certificate_pem, "C3");
  EXPECT_EQ(tls.Current()->client_key_pem, "K3");
}

TEST(CredentialsTest, AFailingPluginIsToldWithItsWords) {
  ExecPlugin plugin;
  plugin.argv = {"/bin/sh", "-c", "echo please log in >&2; exit 3"};
  EventLoop loop;
  auto failing = ExecCredentials(loop.env(), plugin);
  EXPECT_THAT(AskLoop(loop, *failing), StatusIs(absl::StatusCode::kUnauthenticated,
                                                HasSubstr("exited with 3: please log in")));
}

TEST(CredentialsTest, AMissingPluginIsToldWithTheInstallHint) {
  ExecPlugin plugin;
  plugin.argv = {"/nowhere/plugin"};
  plugin.install_hint = "install it";
  EventLoop loop;
  auto missing = ExecCredentials(loop.env(), plugin);
  EXPECT_THAT(AskLoop(loop, *missing),
              StatusIs(absl::StatusCode::kUnauthenticated, HasSubstr("install it")));
}

TEST(CredentialsTest, AHangingPluginIsStopped) {
  ExecPlugin plugin;
  plugin.argv = {"/bin/sleep", "60"};
  plugin.timeout = absl::Milliseconds(100);
  EventLoop loop;
  auto hanging = ExecCredentials(loop.env(), plugin);
  EXPECT_THAT(AskLoop(loop, *hanging),
              StatusIs(absl::StatusCode::kUnauthenticated, HasSubstr("did not finish in time")));
}

}  // namespace
}  // namespace sealane::kube
