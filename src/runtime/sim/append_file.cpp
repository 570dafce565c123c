#include "runtime/sim/append_file.h"

#include <algorithm>

namespace bascule::sim {

AppendFile::AppendFile(Disk& disk, std::uint64_t offset, std::uint64_t capacity_bytes)
    : disk_(&disk), offset_(offset), capacity_bytes_(capacity_bytes) {
  BASCULE_ASSERT(offset + capacity_bytes <= disk.size_bytes());
}

DiskStatus AppendFile::append(ByteView bytes) {
  if (bytes.size() > capacity_bytes_ - size_) return DiskStatus::NoSpace;
  const DiskStatus status = disk_->write(offset_ + size_, bytes);
  if (status == DiskStatus::Ok) size_ += bytes.size();
  return status;
}

Bytes AppendFile::contents() const {
  Bytes bytes(size_);
  const DiskStatus status = disk_->read(offset_, bytes);
  if (status != DiskStatus::Ok) bytes.clear();
  return bytes;
}

DiskStatus AppendFile::truncate(std::uint64_t size) {
  BASCULE_ASSERT(size <= size_);
  DiskStatus status = disk_->write_zeros(offset_ + size, size_ - size);
  if (status == DiskStatus::Ok) status = disk_->flush();
  if (status != DiskStatus::Ok) return status;
  size_ = size;
  durable_size_ = std::min(durable_size_, size);
  return status;
}

DiskStatus AppendFile::end_flush(FlushToken token) {
  const DiskStatus status = disk_->end_flush(token.disk);
  if (status == DiskStatus::Ok) durable_size_ = std::max(durable_size_, std::min(token.covers_bytes, size_));
  return status;
}

void AppendFile::power_loss(Prng& prng) {
  size_ = durable_size_ + prng.below(size_ - durable_size_ + 1);
  durable_size_ = size_;
}

}  // namespace bascule::sim
