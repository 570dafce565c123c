#include "runtime/block_host/disk.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace bascule::block_host {
namespace {

int error_of(int result, std::size_t expected) {
  if (result < 0) return -result;
  return static_cast<std::size_t>(result) == expected ? 0 : EIO;
}

bool all_zero(ByteView bytes) {
  return bytes.empty() || (bytes[0] == 0 && std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0);
}

}  // namespace

void Disk::done(replication::OperationId operation, int error_number, bool data_write) {
  done(replication::input::DiskDone{operation, error_number}, data_write);
}

void Disk::done(replication::input::DiskDone outcome, bool data_write) {
  --in_flight_;
  events_.disk_done(std::move(outcome), data_write);
}

void Disk::start(const replication::effect::DiskWrite& write) {
  ++in_flight_;
  pool_.retain(write.buffer);
  const ByteView bytes = pool_.bytes(write.buffer).first(write.length);
  struct Kept {
    replication::OperationId operation;
    replication::BufferId buffer;
    std::uint32_t length;
    bool durable;
  } kept{write.operation, write.buffer, write.length, write.durable};
  ring_.write(backing_.descriptor(), bytes, write.offset, write.durable, [this, kept](int result) {
    pool_.release(kept.buffer);
    if (!kept.durable) ++written_;
    done(kept.operation, error_of(result, kept.length), true);
  });
}

void Disk::start(const replication::effect::DiskRead& read) {
  ++in_flight_;
  pool_.retain(read.buffer);
  struct Kept {
    replication::OperationId operation;
    replication::BufferId buffer;
    std::uint32_t length;
    Digest digest;
    bool detect_zeroes;
  } kept{read.operation, read.buffer, read.length, read.digest, read.detect_zeroes};
  ring_.read(backing_.descriptor(), pool_.bytes(read.buffer).first(read.length), read.offset, [this, kept](int result) {
    replication::input::DiskDone outcome{kept.operation, error_of(result, kept.length)};
    const ByteView bytes = pool_.bytes(kept.buffer).first(kept.length);
    if (outcome.error_number == 0 && kept.digest != Digest::none) outcome.digest = digest_of(kept.digest, bytes);
    if (outcome.error_number == 0 && kept.detect_zeroes) outcome.all_zero = all_zero(bytes);
    pool_.release(kept.buffer);
    done(std::move(outcome), false);
  });
}

void Disk::start(const replication::effect::DiskFlush& flush) {
  ++in_flight_;
  flush_waiting_.push_back(flush.operation);
  flush_if_wanted();
}

void Disk::start(replication::effect::MetadataWrite write) {
  ++in_flight_;
  if (!may_hold_unflushed_data()) return write_metadata(std::move(write));
  metadata_waiting_.push_back(std::move(write));
  flush_if_wanted();
}

void Disk::flush_if_wanted() {
  if (flushing_ || (flush_waiting_.empty() && metadata_waiting_.empty())) return;
  flushing_ = true;
  flush_running_.swap(flush_waiting_);
  metadata_running_.swap(metadata_waiting_);
  flush_covers_ = written_;
  ring_.datasync(backing_.descriptor(), [this](int result) { flushed(result); });
}

void Disk::flushed(int result) {
  flushing_ = false;
  std::vector<replication::OperationId> flushes;
  std::vector<replication::effect::MetadataWrite> writes;
  flushes.swap(flush_running_);
  writes.swap(metadata_running_);
  if (result == 0) flushed_ = flush_covers_;
  for (auto& write : writes) {
    if (result == 0)
      write_metadata(std::move(write));
    else
      done(write.operation, -result, false);
  }
  for (const auto operation : flushes) done(operation, result < 0 ? -result : 0, false);
  flush_if_wanted();
}

void Disk::write_metadata(replication::effect::MetadataWrite write) {
  const std::size_t size = write.content.size();
  BASCULE_ASSERT(size > 0 && size % 512 == 0 && write.offset % 512 == 0);
  const std::size_t room = (size + kAlignment - 1) / kAlignment * kAlignment;
  std::unique_ptr<Byte, void (*)(void*)> memory(static_cast<Byte*>(std::aligned_alloc(kAlignment, room)), &std::free);
  BASCULE_ASSERT(memory != nullptr);
  std::memcpy(memory.get(), write.content.data(), size);
  const ByteView bytes(memory.get(), size);
  const std::uint64_t offset = write.offset;
  if (metadata_free_.empty()) {
    metadata_free_.push_back(static_cast<std::uint32_t>(metadata_.size()));
    metadata_.push_back({{}, {nullptr, &std::free}});
  }
  const std::uint32_t index = metadata_free_.back();
  metadata_free_.pop_back();
  metadata_[index] = {std::move(write), std::move(memory)};
  ring_.write(metadata_device_.descriptor(), bytes, offset, true,
              [this, index](int result) { metadata_written(index, result); });
}

void Disk::metadata_written(std::uint32_t index, int result) {
  const MetadataInFlight finished = std::exchange(metadata_[index], {{}, {nullptr, &std::free}});
  metadata_free_.push_back(index);
  done(finished.write.operation, error_of(result, finished.write.content.size()), false);
}

}  // namespace bascule::block_host
