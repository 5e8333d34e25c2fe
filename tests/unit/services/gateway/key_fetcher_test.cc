#include "services/gateway/key_fetcher.h"

#include <gtest/gtest.h>

#include "lib/core/json.h"
#include "lib/core/sim_executor.h"
#include "lib/kubeapi/direct_transport.h"
#include "tests/unit/lib/kubeauth/test_keys.h"

namespace sealane::gateway {
namespace {

class KeyFetcherTest : public ::testing::Test {
 protected:
  KeyFetcherTest() : sim_(1), failed_(registry_.AddCounter("failed_total", "help")) {
    auto transport = std::make_unique<kubeapi::DirectTransport>(
        sim_, [this](const http::HttpRequest& request,
                     const std::shared_ptr<http::ResponseWriter>& writer) {
          ++asked_;
          EXPECT_EQ(request.path, "/keys?v=1");
          writer->Send({status_, {}, answer_});
        });
    transport_ = transport.get();
    fetcher_ = std::make_unique<KeyFetcher>(sim_.env(), std::move(transport), "/keys?v=1", failed_);
    Serve({"one"});
  }
  void Serve(const std::vector<std::string>& kids) {
    Json keys = Json::array();
    for (const std::string& kid : kids) keys.push_back(key_.Jwk(kid));
    answer_ = Json({{"keys", keys}}).dump();
  }
  bool Has(const char* kid) { return fetcher_->keys() != nullptr && fetcher_->keys()->Has(kid); }

  SimExecutor sim_;
  Registry registry_;
  Counter& failed_;
  kubeauth::TestKey key_ = kubeauth::TestKey::Ec();
  int asked_ = 0;
  int status_ = 200;
  std::string answer_;
  kubeapi::DirectTransport* transport_ = nullptr;
  std::unique_ptr<KeyFetcher> fetcher_;
};

TEST_F(KeyFetcherTest, KeysComeAtOnceAndAgainFromTimeToTime) {
  EXPECT_EQ(fetcher_->keys(), nullptr);
  fetcher_->Start();
  sim_.RunFor(absl::Seconds(1));
  EXPECT_TRUE(Has("one"));
  Serve({"one", "two"});
  sim_.RunFor(absl::Minutes(9));
  EXPECT_FALSE(Has("two"));
  sim_.RunFor(absl::Minutes(2));
  EXPECT_TRUE(Has("two"));
  EXPECT_EQ(asked_, 2);
}

TEST_F(KeyFetcherTest, AMissingKeyIsAskedForButNotAgainAndAgain) {
  fetcher_->Start();
  sim_.RunFor(absl::Seconds(11));
  Serve({"two"});
  for (int i = 0; i < 100; ++i) {
    fetcher_->Missing();
    sim_.RunFor(absl::Milliseconds(10));
  }
  EXPECT_TRUE(Has("two"));
  EXPECT_EQ(asked_, 2);
}

TEST_F(KeyFetcherTest, WhatWasFetchedLastStaysWhenNothingBetterComes) {
  fetcher_->Start();
  sim_.RunFor(absl::Seconds(11));
  answer_ = "<html>";
  fetcher_->Missing();
  sim_.RunFor(absl::Seconds(11));
  status_ = 500;
  fetcher_->Missing();
  sim_.RunFor(absl::Seconds(11));
  transport_->Disconnect();
  fetcher_->Missing();
  sim_.RunFor(absl::Seconds(11));
  EXPECT_TRUE(Has("one"));
  EXPECT_EQ(failed_.Value(), 3);
  // And soon again, not in ten minutes.
  transport_->Reconnect();
  status_ = 200;
  Serve({"two"});
  sim_.RunFor(absl::Seconds(35));
  EXPECT_TRUE(Has("two"));
}

}  // namespace
}  // namespace sealane::gateway
