#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <map>
#include <optional>
#include <system_error>
#include <utility>

#include "lib/core/hash.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "services/agent/state_store.h"

namespace sealane::agent {
namespace {

// A record: magic, key length, value length (kErased: erased), checksum of the lengths, key and
// value; then key and value. Integers are in the byte order of the machine: the file does not
// travel.
constexpr uint32_t kMagic = 0x314c4e4a;  // "JNL1"
constexpr uint32_t kErased = 0xffffffff;
constexpr uint32_t kMaxPiece = 64 << 20;
// Outdated bytes that are tolerated besides as many as are in use.
constexpr uint64_t kSlack = 1 << 20;

struct RecordHeader {
  uint32_t magic;
  uint32_t key_size;
  uint32_t value_size;
  uint32_t checksum;
};

uint32_t Checksum(std::string_view key, uint32_t value_size, std::string_view value) {
  std::string sizes(8, '\0');
  const auto key_size = static_cast<uint32_t>(key.size());
  std::memcpy(sizes.data(), &key_size, 4);
  std::memcpy(sizes.data() + 4, &value_size, 4);
  return Fnv1a32(StrCat(sizes, key, value));
}

std::string Record(std::string_view key, std::optional<std::string_view> value) {
  const std::string_view body = value.value_or(std::string_view());
  RecordHeader header;
  header.magic = kMagic;
  header.key_size = static_cast<uint32_t>(key.size());
  header.value_size = value ? static_cast<uint32_t>(body.size()) : kErased;
  header.checksum = Checksum(key, header.value_size, body);
  std::string out(sizeof(header), '\0');
  std::memcpy(out.data(), &header, sizeof(header));
  out.append(key);
  out.append(body);
  return out;
}

absl::Status Errno(std::string_view what, const std::string& path) {
  const int error = errno;
  const std::string text =
      StrCat("state directory: cannot ", what, " ", path, ": ", std::strerror(error));
  if (error == ENOSPC || error == EDQUOT) return absl::ResourceExhaustedError(text);
  return Unavailable(text);
}

absl::Status WriteAll(int fd, std::string_view bytes, uint64_t offset, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t n = pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return Errno("write", path);
    bytes.remove_prefix(static_cast<size_t>(n));
    offset += static_cast<uint64_t>(n);
  }
  return absl::OkStatus();
}

bool ReadAll(int fd, uint64_t offset, size_t size, std::string& out) {
  out.resize(size);
  size_t done = 0;
  while (done < size) {
    const ssize_t n = pread(fd, out.data() + done, size - done, static_cast<off_t>(offset + done));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    done += static_cast<size_t>(n);
  }
  return true;
}

class Journal final : public StateStore {
 public:
  Journal(std::string directory, int lock, int fd)
      : directory_(std::move(directory)),
        path_(directory_ + "/state.journal"),
        lock_(lock),
        fd_(fd) {}
  ~Journal() override {
    close(fd_);
    close(lock_);
  }

  absl::Status Load(const std::function<void(std::string_view, std::string_view)>& each) override {
    SEALANE_RETURN_IF_ERROR(Scan());
    std::string value;
    for (const auto& entry : index_) {
      if (!ReadAll(fd_, entry.second.offset, entry.second.size, value)) return Errno("read", path_);
      each(entry.first, value);
    }
    return absl::OkStatus();
  }

  absl::Status Put(std::string_view key, std::string_view value) override {
    return Write(key, value);
  }

  absl::Status Erase(std::string_view key) override {
    if (index_.find(key) == index_.end() && unwritten_.find(key) == unwritten_.end()) {
      return absl::OkStatus();
    }
    return Write(key, std::nullopt);
  }

  absl::Status Sync() override {
    if (!unwritten_.empty()) SEALANE_RETURN_IF_ERROR(Rewrite());
    if (!dirty_) return absl::OkStatus();
    if (fdatasync(fd_) != 0) return Errno("sync", path_);
    dirty_ = false;
    return absl::OkStatus();
  }

  absl::Status Flush() override {
    SEALANE_RETURN_IF_ERROR(Sync());
    return OutOfProportion() ? Compact() : absl::OkStatus();
  }

 private:
  struct Place {
    uint64_t offset = 0;  // of the value
    uint32_t size = 0;
    uint64_t record_size = 0;
  };

  [[nodiscard]] bool OutOfProportion() const { return end_ > 2 * live_bytes_ + kSlack; }

  // Writes what could not be written before.
  absl::Status Rewrite() {
    while (!unwritten_.empty()) {
      const auto first = unwritten_.begin();
      const std::string key = first->first;
      const std::optional<std::string> value = first->second;
      SEALANE_RETURN_IF_ERROR(
          Append(key, value ? std::optional<std::string_view>(*value) : std::nullopt));
      unwritten_.erase(key);
    }
    return absl::OkStatus();
  }

  // Reads all records; what follows the last good one is cut off.
  absl::Status Scan() {
    struct stat info = {};
    if (fstat(fd_, &info) != 0) return Errno("stat", path_);
    const auto size = static_cast<uint64_t>(info.st_size);
    std::string buffer;
    while (end_ + sizeof(RecordHeader) <= size) {
      RecordHeader header;
      if (!ReadAll(fd_, end_, sizeof(header), buffer)) return Errno("read", path_);
      std::memcpy(&header, buffer.data(), sizeof(header));
      if (header.magic != kMagic || header.key_size > kMaxPiece) break;
      const uint32_t value_size = header.value_size == kErased ? 0 : header.value_size;
      const uint64_t record = sizeof(header) + uint64_t{header.key_size} + value_size;
      if (value_size > kMaxPiece || end_ + record > size) break;
      if (!ReadAll(fd_, end_ + sizeof(header), header.key_size + value_size, buffer)) {
        return Errno("read", path_);
      }
      const std::string_view key = std::string_view(buffer).substr(0, header.key_size);
      const std::string_view value = std::string_view(buffer).substr(header.key_size);
      if (Checksum(key, header.value_size, value) != header.checksum) break;
      Index(key, header.value_size == kErased, end_, value_size);
      end_ += record;
    }
    if (end_ < size && ftruncate(fd_, static_cast<off_t>(end_)) != 0) return Errno("cut", path_);
    return absl::OkStatus();
  }

  void Index(std::string_view key, bool erased, uint64_t record_at, uint32_t value_size) {
    const auto it = index_.find(key);
    if (it != index_.end()) {
      live_bytes_ -= it->second.record_size;
      if (erased) index_.erase(it);
    }
    if (erased) return;
    Place& place = index_[std::string(key)];
    place.offset = record_at + sizeof(RecordHeader) + key.size();
    place.size = value_size;
    place.record_size = sizeof(RecordHeader) + key.size() + value_size;
    live_bytes_ += place.record_size;
  }

  absl::Status Write(std::string_view key, std::optional<std::string_view> value) {
    absl::Status status = unwritten_.empty() ? absl::OkStatus() : Rewrite();
    if (status.ok()) status = Append(key, value);
    if (!status.ok()) {
      unwritten_.insert_or_assign(std::string(key),
                                  value ? std::optional<std::string>(*value) : std::nullopt);
      return status;
    }
    // Where that fails, the value is stored all the same; Flush tries again, not each write.
    if (OutOfProportion() && compacting_) compacting_ = Compact().ok();
    return absl::OkStatus();
  }

  absl::Status Append(std::string_view key, std::optional<std::string_view> value) {
    const std::string record = Record(key, value);
    const absl::Status written = WriteAll(fd_, record, end_, path_);
    if (!written.ok()) {
      // Half a record may stay; the next one is written over it.
      if (ftruncate(fd_, static_cast<off_t>(end_)) != 0) return written;
      return written;
    }
    dirty_ = true;
    Index(key, !value, end_, value ? static_cast<uint32_t>(value->size()) : 0);
    end_ += record.size();
    return absl::OkStatus();
  }

  // Copies what counts into a new file that then takes the place of the old one. A failure leaves
  // the old one in force.
  absl::Status Compact() {
    const std::string next = path_ + ".next";
    const int fd = open(next.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) return Errno("create", next);
    std::map<std::string, Place, std::less<>> index;
    uint64_t end = 0;
    std::string value;
    for (const auto& entry : index_) {
      if (!ReadAll(fd_, entry.second.offset, entry.second.size, value)) {
        close(fd);
        return Errno("read", path_);
      }
      const std::string record = Record(entry.first, value);
      const absl::Status written = WriteAll(fd, record, end, next);
      if (!written.ok()) {
        close(fd);
        unlink(next.c_str());
        return written;
      }
      index[entry.first] = {end + sizeof(RecordHeader) + entry.first.size(), entry.second.size,
                            record.size()};
      end += record.size();
    }
    if (fdatasync(fd) != 0 || rename(next.c_str(), path_.c_str()) != 0) {
      const absl::Status status = Errno("replace", path_);
      close(fd);
      unlink(next.c_str());
      return status;
    }
    close(fd_);
    fd_ = fd;
    index_ = std::move(index);
    end_ = end;
    live_bytes_ = end;
    compacting_ = true;
    // The new name must last as well, before what is added counts as synced.
    dirty_ = true;
    const int directory = open(directory_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0) return Errno("open", directory_);
    const bool synced = fsync(directory) == 0;
    const absl::Status status = synced ? absl::OkStatus() : Errno("sync", directory_);
    close(directory);
    return status;
  }

  std::string directory_;
  std::string path_;
  int lock_;
  int fd_;
  uint64_t end_ = 0;
  uint64_t live_bytes_ = 0;
  bool dirty_ = false;      // something was written since the last sync
  bool compacting_ = true;  // the last compaction did not fail
  std::map<std::string, Place, std::less<>> index_;
  std::map<std::string, std::optional<std::string>, std::less<>> unwritten_;  // nullopt: erased
};

}  // namespace

absl::StatusOr<std::unique_ptr<StateStore>> OpenJournal(const std::string& directory) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error) {
    return Unavailable(StrCat("state directory: cannot create ", directory, ": ", error.message()));
  }
  const std::string lock_path = directory + "/lock";
  const int lock = open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (lock < 0) return Errno("open", lock_path);
  if (flock(lock, LOCK_EX | LOCK_NB) != 0) {
    close(lock);
    return FailedPrecondition(
        StrCat("state directory: ", directory, " is in use by another agent"));
  }
  const std::string path = directory + "/state.journal";
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) {
    const absl::Status status = Errno("open", path);
    close(lock);
    return status;
  }
  return std::unique_ptr<StateStore>(std::make_unique<Journal>(directory, lock, fd));
}

absl::StatusOr<std::unique_ptr<StateStore>> OpenJournalOrMemory(const std::string& directory) {
  auto journal = OpenJournal(directory);
  if (journal.ok() || absl::IsFailedPrecondition(journal.status())) return journal;
  auto disk = std::make_shared<MemoryDisk>();
  disk->failure = journal.status();
  return OpenMemoryStore(std::move(disk));
}

}  // namespace sealane::agent
