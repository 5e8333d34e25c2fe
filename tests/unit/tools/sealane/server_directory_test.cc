#include "tools/sealane/server_directory.h"

#include <sys/stat.h>

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
        request, [this] { return "password" + std::to_string(++passwords_); }, &outcome);
    if (!status.ok()) return status;
    return outcome;
  }
  std::string Read(const std::string& name) {
    return ReadFile(directory_.path() + "/bus/" + name).value_or("");
  }
  TempDir directory_;
  int passwords_ = 0;
};

TEST_F(ServerDirectoryTest, AddsClustersAndKeepsPasswords) {
  ServerConfigRequest first;
  first.listen_port = 4333;
  first.clusters = {"b"};
  first.platforms = {"paas"};
  const auto made = Write(first);
  ASSERT_OK(made);
  EXPECT_THAT(made->new_logins, ElementsAre("sealane", "cluster-b", "platform-paas"));
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
