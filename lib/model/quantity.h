#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace sealane {

// A Kubernetes quantity ("100m", "1.5Gi", "2e3"), exact to 10^-9; finer parts are rounded away from
// zero and values beyond 2^63-1 are capped, as in apimachinery's resource.Quantity.
class Quantity {
 public:
  enum class Format { kDecimalSi, kBinarySi, kDecimalExponent };

  // Zero.
  Quantity() = default;
  // INVALID_ARGUMENT for text that is not a quantity.
  [[nodiscard]] static absl::StatusOr<Quantity> Parse(std::string_view text);
  [[nodiscard]] static Quantity FromValue(int64_t value, Format format = Format::kDecimalSi);
  [[nodiscard]] static Quantity FromMilli(int64_t milli, Format format = Format::kDecimalSi);

  // In units and in thousandths, rounded away from zero, saturated.
  [[nodiscard]] int64_t Value() const;
  [[nodiscard]] int64_t MilliValue() const;
  [[nodiscard]] bool IsZero() const { return nano_ == 0; }
  [[nodiscard]] Format format() const { return format_; }

  // The result keeps this quantity's format (the other's if this one is zero).
  Quantity& operator+=(const Quantity& other);
  Quantity& operator-=(const Quantity& other);
  // Exact product.
  [[nodiscard]] Quantity Times(int64_t factor) const;

  // By value; the format does not matter.
  friend bool operator==(const Quantity& a, const Quantity& b) { return a.nano_ == b.nano_; }
  friend std::strong_ordering operator<=>(const Quantity& a, const Quantity& b) {
    return a.nano_ < b.nano_   ? std::strong_ordering::less
           : a.nano_ > b.nano_ ? std::strong_ordering::greater
                               : std::strong_ordering::equal;
  }

  // The canonical form: no fraction, largest suffix without loss ("1500m", "1536Mi", "0").
  [[nodiscard]] std::string ToString() const;

 private:
  __int128 nano_ = 0;
  Format format_ = Format::kDecimalSi;
};

inline Quantity operator+(Quantity a, const Quantity& b) { return a += b; }
inline Quantity operator-(Quantity a, const Quantity& b) { return a -= b; }

// Whether two texts are the same quantity ("1000m" and "1"); false when either is none.
[[nodiscard]] bool SameQuantity(std::string_view a, std::string_view b);

}  // namespace sealane
