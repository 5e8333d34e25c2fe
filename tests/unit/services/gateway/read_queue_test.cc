#include "services/gateway/read_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "lib/core/sim_executor.h"
#include "lib/core/strings.h"

namespace sealane::gateway {
namespace {

using ::testing::ElementsAre;

// A client; takes its answer when it is told to.
class Client final : public http::ResponseWriter {
 public:
  void Send(http::HttpResponse response) override { answer = std::move(response); }
  void StartStream(int status, http::Headers) override { answer.status = status; }
  void Write(std::string) override {}
  void End() override {}
  void OnClose(std::function<void()>) override {}
  void Hold(std::shared_ptr<void> held) override { ticket = std::move(held); }
  size_t pending_bytes() const override { return 0; }

  http::HttpResponse answer;
  std::shared_ptr<void> ticket;
};

class ReadQueueTest : public ::testing::Test {
 protected:
  ReadQueueTest()
      : queue_(std::make_unique<ReadQueue>(
            sim_, ReadQueue::Options{.max_reads = 4, .max_untaken_bytes = 100})) {}
  // nullptr: refused.
  std::shared_ptr<Client> Ask(const std::string& user, size_t bytes) {
    auto client = std::make_shared<Client>();
    const int number = ++asked_[user];
    const bool added = queue_->Add(user, client, [this, user, number, bytes](auto writer) {
      served_.push_back(StrCat(user, number));
      writer->Send({200, {}, std::string(bytes, 'x')});
    });
    return added ? client : nullptr;
  }
  std::vector<std::string> Served() {
    sim_.RunFor(absl::Milliseconds(1));
    return std::exchange(served_, {});
  }

  SimExecutor sim_{7};
  std::unique_ptr<ReadQueue> queue_;
  std::map<std::string, int> asked_;
  std::vector<std::string> served_;
};

TEST_F(ReadQueueTest, UsersAreServedInTurn) {
  for (int i = 0; i < 4; ++i) Ask("a", 1);
  Ask("b", 1);
  Ask("c", 1);
  Ask("b", 1);
  EXPECT_THAT(Served(), ElementsAre("a1", "b1", "c1", "a2", "b2", "a3", "a4"));
}

TEST_F(ReadQueueTest, TooManyReadsOfOneUserAreRefused) {
  std::vector<std::shared_ptr<Client>> clients;
  for (int i = 0; i < 4; ++i) clients.push_back(Ask("a", 1));
  EXPECT_EQ(Ask("a", 1), nullptr);
  EXPECT_NE(Ask("b", 1), nullptr);
  Served();
  EXPECT_EQ(Ask("a", 1), nullptr);
  clients[0]->ticket = nullptr;  // one is taken
  Served();
  EXPECT_NE(Ask("a", 1), nullptr);
  EXPECT_EQ(Ask("a", 1), nullptr);
}

TEST_F(ReadQueueTest, WhoDoesNotTakeHisAnswersWaitsForTheNext) {
  const auto first = Ask("a", 60);
  const auto second = Ask("a", 60);
  const auto third = Ask("a", 1);
  const auto other = Ask("b", 1);
  EXPECT_THAT(Served(), ElementsAre("a1", "b1", "a2"));
  EXPECT_THAT(Served(), ElementsAre());
  first->ticket = nullptr;
  EXPECT_THAT(Served(), ElementsAre("a3"));
  EXPECT_EQ(third->answer.status, 200);
}

TEST_F(ReadQueueTest, AStreamCountsUntilItBegins) {
  std::vector<std::shared_ptr<http::ResponseWriter>> streams;
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(queue_->Add("a", std::make_shared<Client>(), [&](auto writer) {
      writer->StartStream(200, {});
      streams.push_back(writer);
    })) << i;
    Served();
  }
  // One that is dropped without an answer is over, too.
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(queue_->Add("a", std::make_shared<Client>(), [](auto) {})) << i;
    Served();
  }
}

TEST_F(ReadQueueTest, AnswersMayBeTakenWhenTheQueueIsGone) {
  const auto client = Ask("a", 1);
  Served();
  const auto waits = Ask("a", 1);
  queue_.reset();
  EXPECT_THAT(Served(), ElementsAre());
  client->ticket = nullptr;
  Served();
}

}  // namespace
}  // namespace sealane::gateway
