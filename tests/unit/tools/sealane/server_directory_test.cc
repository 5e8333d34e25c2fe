#include "tools/sealane/server_directory.h"

#include <sys/stat.h>

#include <atomic>
#include <cstdio>
#include <functional>
#include <optional>
#include <thread>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/status_matchers.h"
#include "tests/support/subprocess.h"
#include "tools/sealane/files.h"

namespace sealane::cli {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class ServerDirectoryTest : public ::testing::Test {
 protected:
  absl::StatusOr<ServerConfigOutcome> Write(ServerConfigRequest request) {
    request.directory = directory_.path() + "/bus";
    ServerConfigOutcome outcome;
    const absl::Status status = WriteServerDirectory(
        request,
        {[this] { return "password" + std::to_string(++passwords_); }, [this] { return now_; }},
        &outcome);
    if (!status.ok()) return status;
    return outcome;
  }
  std::string Read(const std::string& name) {
    return ReadFile(directory_.path() + "/bus/" + name).value_or("");
  }
  TempDir directory_;
  int passwords_ = 0;
  absl::Time now_ = absl::FromUnixSeconds(1'700'000'000);
};

TEST_F(ServerDirectoryTest, OneCommandAtATimeChangesADirectory) {
  EXPECT_TRUE(absl::IsNotFound(DirectoryLock::Take(directory_.path() + "/absent", [] {}).status()));
  std::optional<DirectoryLock> first(DirectoryLock::Take(directory_.path(), [] {}).value());
  std::atomic<bool> waits = false;
  std::atomic<bool> taken = false;
  std::thread second([&] {
    const auto lock = DirectoryLock::Take(directory_.path(), [&] { waits = true; });
    EXPECT_OK(lock);
    taken = true;
  });
  while (!waits) std::this_thread::yield();
  EXPECT_FALSE(taken);
  first.reset();
  second.join();
  EXPECT_TRUE(taken);
}

TEST_F(ServerDirectoryTest, AddsClustersAndKeepsPasswords) {
  ServerConfigRequest first;
  first.listen_port = 4333;
  first.clusters = {"b"};
  first.platforms = {"paas"};
  const auto made = Write(first);
  ASSERT_OK(made);
  EXPECT_THAT(made->new_logins,
              ElementsAre("sealane", "sealane-gateway", "cluster-b", "platform-paas"));
  const std::string password = Read("passwords/cluster-b");

  ServerConfigRequest second;
  second.clusters = {"a", "b"};
  const auto added = Write(second);
  ASSERT_OK(added);
  EXPECT_THAT(added->new_logins, ElementsAre("cluster-a"));
  EXPECT_EQ(added->clusters, 2);
  EXPECT_EQ(Read("passwords/cluster-b"), password);
  EXPECT_THAT(Read("nats-server.conf"),
              AllOf(HasSubstr(":4333"), HasSubstr("CL_a"), HasSubstr("CL_b"), HasSubstr("PL_paas"),
                    HasSubstr(password.substr(0, password.size() - 1))));
  // The same again changes nothing.
  const std::string before = Read("nats-server.conf");
  EXPECT_THAT(Write({})->new_logins, IsEmpty());
  EXPECT_EQ(Read("nats-server.conf"), before);
}

TEST_F(ServerDirectoryTest, RemovesAClusterForGood) {
  ServerConfigRequest first;
  first.clusters = {"a", "b"};
  ASSERT_OK(Write(first));
  ServerConfigRequest removal;
  removal.remove_clusters = {"a"};
  ASSERT_OK(Write(removal));
  EXPECT_THAT(Read("nats-server.conf"), Not(HasSubstr("CL_a")));
  EXPECT_EQ(Read("passwords/cluster-a"), "");
  EXPECT_THAT(Write(removal).status(),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("there is: b")));
}

TEST_F(ServerDirectoryTest, ALoginIsReplacedInTwoSteps) {
  for (const char* name : {"", "acme"}) {
    TempDir fresh;
    const std::string bus = fresh.path() + "/bus";
    const auto write = [&](const std::function<void(ServerConfigRequest&)>& change) {
      ServerConfigRequest request;
      request.directory = bus;
      request.operator_name = name;
      change(request);
      ServerConfigOutcome outcome;
      const absl::Status status = WriteServerDirectory(
          request, {[] { return std::string("secret"); }, [this] { return now_; }}, &outcome);
      return status.ok() ? absl::StatusOr<ServerConfigOutcome>(outcome) : status;
    };
    ASSERT_OK(write([](auto& r) { r.clusters = {"a"}; }));
    EXPECT_EQ(LoginOf(bus, "a")->user, "cluster-a");
    const auto renewed = write([](auto& r) { r.renew_clusters = {"a"}; });
    ASSERT_OK(renewed);
    EXPECT_THAT(renewed->new_logins, ElementsAre("cluster-a.2"));
    EXPECT_THAT(renewed->removed_logins, IsEmpty());
    EXPECT_EQ(LoginOf(bus, "a")->user, "cluster-a.2");
    EXPECT_THAT(write([](auto& r) { r.renew_clusters = {"a"}; }).status(),
                StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("retire the old one")));
    const auto retired = write([](auto& r) { r.retire_clusters = {"a"}; });
    ASSERT_OK(retired);
    EXPECT_THAT(retired->removed_logins, ElementsAre("cluster-a"));
    EXPECT_EQ(LoginOf(bus, "a")->user, "cluster-a.2");
    // Nothing is left to retire; a third generation follows the second.
    EXPECT_THAT(write([](auto& r) { r.retire_clusters = {"a"}; })->removed_logins, IsEmpty());
    EXPECT_THAT(write([](auto& r) { r.renew_clusters = {"a"}; })->new_logins,
                ElementsAre("cluster-a.3"));
  }
}

TEST_F(ServerDirectoryTest, AnOperatorSignsEveryAccount) {
  ServerConfigRequest first;
  first.operator_name = "acme";
  first.clusters = {"a", "b"};
  first.platforms = {"paas"};
  const auto made = Write(first);
  ASSERT_OK(made);
  EXPECT_TRUE(made->with_operator);
  EXPECT_THAT(made->new_logins,
              testing::UnorderedElementsAre("system", "sealane", "sealane-gateway", "cluster-a",
                                            "cluster-b", "platform-paas"));
  EXPECT_THAT(Read("nats-server.conf"), AllOf(HasSubstr("operator: ey"), Not(HasSubstr("CL_a"))));
  EXPECT_EQ(made->claims.accounts.size(), 4U);  // CL_a, CL_b, PL_paas, HUB
  EXPECT_EQ(made->claims.deletion, "");
  const std::string config = Read("nats-server.conf");
  const std::string creds = Read("creds/cluster-a.creds");
  // The same again changes nothing, whenever it is.
  now_ += absl::Hours(1);
  const auto again = Write({});
  ASSERT_OK(again);
  EXPECT_EQ(Read("nats-server.conf"), config);
  EXPECT_EQ(Read("creds/cluster-a.creds"), creds);
  EXPECT_EQ(again->claims.accounts, made->claims.accounts);
  // A cluster that goes is told to be deleted until the server has done so.
  ServerConfigRequest removal;
  removal.remove_clusters = {"a"};
  const auto removed = Write(removal);
  ASSERT_OK(removed);
  EXPECT_THAT(removed->removed_logins, ElementsAre("cluster-a"));
  EXPECT_EQ(removed->claims.spent.size(), 1U);
  EXPECT_NE(removed->claims.deletion, "");
  EXPECT_NE(Write({})->claims.deletion, "");
  for (const std::string& file : removed->claims.spent) std::remove(file.c_str());
  EXPECT_EQ(Write({})->claims.deletion, "");
  // One of that name that comes later is another.
  ServerConfigRequest back;
  back.clusters = {"a"};
  ASSERT_OK(Write(back));
  EXPECT_NE(Read("creds/cluster-a.creds"), creds);
  EXPECT_EQ(LoginOf(directory_.path() + "/bus", "a")->creds, Read("creds/cluster-a.creds"));
}

TEST_F(ServerDirectoryTest, WhoHoldsTheAccountsIsChosenOnce) {
  ASSERT_OK(Write({}));
  ServerConfigRequest late;
  late.operator_name = "acme";
  EXPECT_THAT(Write(late).status(),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("Take a new directory")));
}

TEST_F(ServerDirectoryTest, SecretsAreForTheOwnerOnly) {
  ASSERT_OK(Write({}));
  for (const char* name : {"nats-server.conf", "passwords/sealane"}) {
    struct stat info = {};
    ASSERT_EQ(stat((directory_.path() + "/bus/" + name).c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 077, 0U) << name;
  }
}

TEST(RandomPasswordTest, IsLongAndDiffers) {
  EXPECT_EQ(RandomPassword().size(), 46U);
  EXPECT_NE(RandomPassword(), RandomPassword());
}

}  // namespace
}  // namespace sealane::cli
