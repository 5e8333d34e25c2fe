#include "lib/model/quantity.h"

#include <array>
#include <charconv>
#include <limits>

#include "absl/strings/ascii.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"

namespace sealane {
namespace {

using Wide = __int128;

constexpr Wide kNano = 1'000'000'000;
constexpr Wide kMax = static_cast<Wide>(std::numeric_limits<int64_t>::max()) * kNano;
constexpr int kMaxDigits = 18;  // of a fraction; finer parts only round up

struct Suffix {
  std::string_view text;
  int exponent;  // of 10, or of 2 when binary
  bool binary;
};
constexpr std::array<Suffix, 16> kSuffixes = {{{"", 0, false},
                                               {"m", -3, false},
                                               {"k", 3, false},
                                               {"M", 6, false},
                                               {"G", 9, false},
                                               {"T", 12, false},
                                               {"P", 15, false},
                                               {"E", 18, false},
                                               {"Ki", 10, true},
                                               {"Mi", 20, true},
                                               {"Gi", 30, true},
                                               {"Ti", 40, true},
                                               {"Pi", 50, true},
                                               {"Ei", 60, true},
                                               {"u", -6, false},
                                               {"n", -9, false}}};

constexpr std::array<std::string_view, 10> kDecimalNames = {"n", "u", "m", "",  "k",
                                                            "M", "G", "T", "P", "E"};
constexpr std::array<std::string_view, 7> kBinaryNames = {"", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"};

Wide PowerOfTen(int exponent) {
  Wide result = 1;
  for (int i = 0; i < exponent; ++i) result *= 10;
  return result;
}

// Divides, rounding away from zero.
Wide DivideUp(Wide value, Wide by) {
  const Wide quotient = value / by;
  if (quotient * by == value) return quotient;
  return value > 0 ? quotient + 1 : quotient - 1;
}

int64_t Saturate(Wide value) {
  if (value > std::numeric_limits<int64_t>::max()) return std::numeric_limits<int64_t>::max();
  if (value < std::numeric_limits<int64_t>::min()) return std::numeric_limits<int64_t>::min();
  return static_cast<int64_t>(value);
}

// The number `digits`.`fraction` times 10^exponent, in nano; capped at kMax.
Wide DecimalNano(std::string digits, std::string_view fraction, int64_t exponent) {
  digits.append(fraction);
  int64_t scale = exponent - static_cast<int64_t>(fraction.size()) + 9;
  const size_t first = digits.find_first_not_of('0');
  if (first == std::string::npos) return 0;
  digits.erase(0, first);
  bool inexact = false;
  if (scale < 0) {  // finer than nano
    const size_t drop = std::min(static_cast<size_t>(-scale), digits.size());
    const std::string dropped = digits.substr(digits.size() - drop);
    inexact = dropped.find_first_not_of('0') != std::string::npos;
    digits.erase(digits.size() - drop);
    scale = 0;
  }
  if (static_cast<int64_t>(digits.size()) + scale > 28) return kMax;  // kMax has 28 digits
  Wide value = 0;
  for (char c : digits) value = value * 10 + (c - '0');
  value = value * PowerOfTen(static_cast<int>(scale)) + (inexact ? 1 : 0);
  return value > kMax ? kMax : value;
}

// The number `digits`.`fraction` times 2^shift, in nano; capped at kMax.
Wide BinaryNano(std::string_view digits, std::string_view fraction, int shift) {
  const Wide limit = kMax / kNano;
  const Wide factor = static_cast<Wide>(1) << shift;
  Wide whole = 0;
  for (char c : digits) {
    whole = whole * 10 + (c - '0');
    if (whole > limit) return kMax;
  }
  if (whole * factor > limit) return kMax;
  bool inexact = false;
  if (fraction.size() > kMaxDigits) {
    inexact = fraction.substr(kMaxDigits).find_first_not_of('0') != std::string_view::npos;
    fraction = fraction.substr(0, kMaxDigits);
  }
  Wide numerator = 0;
  for (char c : fraction) numerator = numerator * 10 + (c - '0');
  const Wide denominator = PowerOfTen(static_cast<int>(fraction.size()));
  numerator *= factor;
  const Wide fraction_nano =
      numerator / denominator * kNano + DivideUp(numerator % denominator * kNano, denominator);
  const Wide value = whole * factor * kNano + fraction_nano + (inexact ? 1 : 0);
  return value > kMax ? kMax : value;
}

std::string Digits(Wide value) {
  if (value == 0) return "0";
  const bool negative = value < 0;
  if (negative) value = -value;
  std::string out;
  for (; value > 0; value /= 10) out.insert(out.begin(), static_cast<char>('0' + value % 10));
  return negative ? "-" + out : out;
}

}  // namespace

absl::StatusOr<Quantity> Quantity::Parse(std::string_view text) {
  const auto error = [&] {
    return InvalidArgument(
        StrCat("\"", text,
               "\" is not a quantity (a number with an optional suffix such as m, k, M, "
               "G, Ki, Mi, Gi)"));
  };
  std::string_view rest = text;
  bool negative = false;
  if (!rest.empty() && (rest[0] == '+' || rest[0] == '-')) {
    negative = rest[0] == '-';
    rest.remove_prefix(1);
  }
  size_t end = 0;
  while (end < rest.size() && absl::ascii_isdigit(rest[end])) ++end;
  const std::string_view digits = rest.substr(0, end);
  std::string_view fraction;
  rest.remove_prefix(end);
  if (!rest.empty() && rest[0] == '.') {
    end = 1;
    while (end < rest.size() && absl::ascii_isdigit(rest[end])) ++end;
    fraction = rest.substr(1, end - 1);
    rest.remove_prefix(end);
  }
  if (digits.empty() && fraction.empty()) return error();

  Quantity quantity;
  bool found = false;
  for (const Suffix& suffix : kSuffixes) {
    if (suffix.text != rest) continue;
    found = true;
    quantity.format_ = suffix.binary ? Format::kBinarySi : Format::kDecimalSi;
    quantity.nano_ = suffix.binary ? BinaryNano(digits, fraction, suffix.exponent)
                                   : DecimalNano(std::string(digits), fraction, suffix.exponent);
  }
  if (!found) {
    if (rest.size() < 2 || (rest[0] != 'e' && rest[0] != 'E')) return error();
    rest.remove_prefix(1);
    const bool minus = rest[0] == '-';
    if (rest[0] == '+' || rest[0] == '-') rest.remove_prefix(1);
    int64_t exponent = 0;
    const auto [stop, failed] = std::from_chars(rest.data(), rest.data() + rest.size(), exponent);
    if (failed != std::errc() || stop != rest.data() + rest.size() ||
        !absl::ascii_isdigit(rest[0]) || exponent > 1'000'000) {
      return error();
    }
    quantity.format_ = Format::kDecimalExponent;
    quantity.nano_ = DecimalNano(std::string(digits), fraction, minus ? -exponent : exponent);
  }
  if (negative) quantity.nano_ = -quantity.nano_;
  return quantity;
}

Quantity Quantity::FromValue(int64_t value, Format format) {
  Quantity quantity;
  quantity.nano_ = static_cast<Wide>(value) * kNano;
  quantity.format_ = format;
  return quantity;
}

Quantity Quantity::FromMilli(int64_t milli, Format format) {
  Quantity quantity;
  quantity.nano_ = static_cast<Wide>(milli) * (kNano / 1000);
  quantity.format_ = format;
  return quantity;
}

int64_t Quantity::Value() const { return Saturate(DivideUp(nano_, kNano)); }

int64_t Quantity::MilliValue() const { return Saturate(DivideUp(nano_, kNano / 1000)); }

Quantity& Quantity::operator+=(const Quantity& other) {
  if (nano_ == 0) format_ = other.format_;
  nano_ += other.nano_;
  return *this;
}

Quantity& Quantity::operator-=(const Quantity& other) {
  if (nano_ == 0) format_ = other.format_;
  nano_ -= other.nano_;
  return *this;
}

Quantity Quantity::Times(int64_t factor) const {
  Quantity result = *this;
  Wide product = 0;
  if (__builtin_mul_overflow(nano_, static_cast<Wide>(factor), &product)) {
    product = (nano_ < 0) == (factor < 0) ? kMax : -kMax;
  }
  result.nano_ = product;
  return result;
}

std::string Quantity::ToString() const {
  if (nano_ == 0) return "0";
  const Wide magnitude = nano_ < 0 ? -nano_ : nano_;
  if (format_ == Format::kBinarySi && magnitude >= 1024 * kNano && nano_ % kNano == 0) {
    Wide value = nano_ / kNano;
    size_t power = 0;
    while (value % 1024 == 0 && power + 1 < kBinaryNames.size()) {
      value /= 1024;
      ++power;
    }
    return StrCat(Digits(value), kBinaryNames[power]);
  }
  Wide value = nano_;
  size_t step = 0;  // 10^(3*step - 9)
  while (value % 1000 == 0 && step + 1 < kDecimalNames.size()) {
    value /= 1000;
    ++step;
  }
  if (format_ == Format::kDecimalExponent) {
    const int exponent = static_cast<int>(step) * 3 - 9;
    return exponent == 0 ? Digits(value) : StrCat(Digits(value), "e", exponent);
  }
  return StrCat(Digits(value), kDecimalNames[step]);
}

bool SameQuantity(std::string_view a, std::string_view b) {
  const auto left = Quantity::Parse(a);
  const auto right = Quantity::Parse(b);
  return left.ok() && right.ok() && *left == *right;
}

}  // namespace sealane
