#include "lib/bus/snapshot_server.h"

#include <algorithm>
#include <utility>

#include "lib/bus/subjects.h"
#include "lib/core/strings.h"
#include "lib/model/identity.h"
#include "sealane/v1/agent.pb.h"
#include "sealane/v1/tables.pb.h"

namespace sealane {

SnapshotServer::SnapshotServer(Bus& bus, Env env, const PackedTable<v1::Work>& works,
                               SnapshotServerOptions options)
    : bus_(bus), works_(works), options_(options), executor_(env.executor) {}

SnapshotServer::~SnapshotServer() = default;

void SnapshotServer::Start() {
  subscription_ = bus_.Subscribe(
      hub::kSnapshotRequests, [this](const BusMessage& m) { OnRequest(m); }, "snapshot");
}

void SnapshotServer::Refuse(const std::string& reply, std::string_view why) {
  ++stats_.refused;
  v1::SnapshotPart part;
  part.set_end(true);
  part.set_error(std::string(why));
  (void)bus_.Publish(reply, part.SerializeAsString());
}

void SnapshotServer::OnRequest(const BusMessage& message) {
  if (message.reply.empty()) return;
  v1::SnapshotRequest request;
  const std::string cluster = hub::ClusterOf(message.subject);
  if (!request.ParseFromString(message.payload)) return Refuse(message.reply, "malformed request");
  if (cluster.empty() || request.cluster() != cluster) {
    return Refuse(message.reply, "the request names another cluster than its account");
  }
  if (!works_.synced()) return Refuse(message.reply, "not ready");
  Job job;
  job.cluster = cluster;
  job.reply = message.reply;
  job.prefix = StrCat(EncodeToken(cluster), ".");
  const auto known = waiting_.find(cluster);
  if (known != waiting_.end()) {
    known->second = std::move(job);
  } else if (waiting_.size() >= options_.max_waiting) {
    ++stats_.dropped;
  } else {
    order_.push_back(cluster);
    waiting_.emplace(cluster, std::move(job));
  }
  Pump();
}

void SnapshotServer::Pump() {
  while (active_ < options_.max_concurrent && !order_.empty()) {
    auto job = waiting_.extract(order_.front());
    order_.pop_front();
    ++active_;
    executor_.Post([this, job = std::move(job.mapped())] {
      Job begun = job;
      begun.cursor = begun.prefix;
      begun.last_sequence = works_.last_sequence();
      begun.stream_created_micros = works_.stream_created_micros();
      SendPart(std::move(begun));
    });
  }
}

void SnapshotServer::SendPart(Job job) {
  v1::SnapshotPart part;
  const size_t limit = std::min(options_.part_bytes, bus_.MaxPayload() / 2);
  size_t size = 0;
  const auto rows = works_.rows();
  auto it = rows.upper_bound(job.cursor);
  bool end = true;
  for (; it != rows.end(); ++it) {
    const auto [key, work] = *it;
    if (!key.starts_with(job.prefix)) break;
    const size_t row_size = work.bytes.size() + key.size() + 32;
    if (size > 0 && size + row_size > limit) {
      end = false;
      break;
    }
    size += row_size;
    v1::SnapshotRow& row = *part.add_rows();
    row.set_subject(StrCat(works_.name(), ".", key));
    row.set_sequence(work.revision);
    row.set_value(std::string(work.bytes));
    job.cursor = std::string(key);
    ++job.rows;
  }
  if (end) {
    part.set_end(true);
    part.set_row_count(job.rows);
    part.set_last_sequence(job.last_sequence);
    part.set_stream_created_micros(job.stream_created_micros);
  }
  const bool sent = bus_.Publish(job.reply, part.SerializeAsString()).ok();
  if (sent && !end) {
    executor_.Post([this, job = std::move(job)] { SendPart(job); });
    return;
  }
  if (sent) ++stats_.served;
  stats_.rows += job.rows;
  --active_;
  Pump();
}

}  // namespace sealane
