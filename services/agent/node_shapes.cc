#include "services/agent/node_shapes.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "sealane/v1/cluster.pb.h"

namespace sealane::agent {
namespace {

using Free = std::map<std::string, int64_t>;
using Counts = std::map<Free, int64_t>;

constexpr std::string_view kCpu = "cpu";
constexpr int kAllDigits = 64;

Free FreeOf(const NodeFacts& node) {
  Free free;
  for (const auto& [name, allocatable] : node.allocatable) {
    Quantity left = allocatable;
    if (const auto used = node.requested.find(name); used != node.requested.end()) {
      left -= used->second;
    }
    const int64_t amount = name == kCpu ? left.MilliValue() : left.Value();
    if (amount > 0) free[name] = amount;
  }
  return free;
}

// Keeps the first `digits` binary digits.
int64_t RoundDown(int64_t amount, int digits) {
  const int width = std::bit_width(static_cast<uint64_t>(amount));
  const int cut = std::max(0, width - digits);
  return static_cast<int64_t>(static_cast<uint64_t>(amount) >> cut << cut);
}

// CPU is told in thousandths, but is rounded in eighths and whole ones: grades begin at whole CPUs.
int64_t RoundCpuDown(int64_t milli, int digits) {
  constexpr int64_t kEighth = 125;
  return milli < kEighth ? RoundDown(milli, digits) : RoundDown(milli / kEighth, digits) * kEighth;
}

Counts Rounded(const Counts& exact, int digits) {
  Counts rounded;
  for (const auto& [free, count] : exact) {
    Free less = free;
    for (auto& [name, amount] : less) {
      amount = name == kCpu ? RoundCpuDown(amount, digits) : RoundDown(amount, digits);
    }
    rounded[std::move(less)] += count;
  }
  return rounded;
}

Free CommonPart(const Free& a, const Free& b) {
  Free common;
  for (const auto& [name, amount] : a) {
    if (const auto other = b.find(name); other != b.end()) {
      common[name] = std::min(amount, other->second);
    }
  }
  return common;
}

}  // namespace

std::vector<NodeShape> NodeShapes(const std::map<std::string, NodeFacts, std::less<>>& nodes,
                                  size_t limit) {
  Counts exact;
  for (const auto& entry : nodes) {
    if (entry.second.ready && entry.second.schedulable) ++exact[FreeOf(entry.second)];
  }
  Counts counts = exact;
  for (int digits : {kAllDigits, 8, 6, 5, 4, 3, 2, 1}) {
    if (counts.size() <= limit) break;
    if (digits < kAllDigits) counts = Rounded(exact, digits);
  }
  const size_t together = (counts.size() + limit - 1) / limit;
  std::vector<NodeShape> shapes;
  size_t place = 0;
  for (const auto& [free, count] : counts) {
    if (place++ % std::max<size_t>(1, together) == 0) {
      shapes.push_back({free, count});
    } else {
      shapes.back().free = CommonPart(shapes.back().free, free);
      shapes.back().count += count;
    }
  }
  return shapes;
}

void FillNodeShapes(const std::map<std::string, NodeFacts, std::less<>>& nodes,
                    v1::Heartbeat& heartbeat) {
  for (const NodeShape& shape : NodeShapes(nodes, kMaxNodeShapes)) {
    v1::NodeShape& told = *heartbeat.add_node_shapes();
    told.set_count(static_cast<int32_t>(shape.count));
    for (const auto& [name, amount] : shape.free) {
      const Quantity quantity =
          name == kCpu ? Quantity::FromMilli(amount)
                       : Quantity::FromValue(amount, name == "pods" ? Quantity::Format::kDecimalSi
                                                                    : Quantity::Format::kBinarySi);
      (*told.mutable_free())[name] = quantity.ToString();
    }
  }
}

}  // namespace sealane::agent
