#include "runtime/sim/replication/application.h"

#include <algorithm>
#include <array>

namespace bascule::sim {

using namespace replication;  // NOLINT: this file asks that room for I/O

void Application::submit_one() {
  if (prng().chance(1, 12) && open_flushes_.size() < 4) return submit_flush();
  if (prng().chance(1, 8) && open_reads_.size() < 4) return submit_read();
  submit_write();
}

void Application::submit_flush() {
  const RequestId request = numbers_.next_request++;
  open_flushes_.insert(request);
  ++counts_.flushes;
  checker_.flush_submitted(request, replica_.index);
  replica_.step(input::Flush{request});
}

void Application::submit_read() {
  const RequestId request = numbers_.next_request++;
  const Status status = replica_.engine->status();
  const std::uint64_t sectors = 1 + prng().below(64);
  const std::uint64_t area = prng().chance(1, 2) ? 512 : status.size_bytes / 512;
  const std::uint64_t sector = prng().below(area - sectors);
  const BufferId buffer = replica_.new_buffer(Replica::Stamps(sectors));
  // Without data of its own it reads the peer's; also where it writes both, but its disk is yet to be resynced.
  const bool own_disk = status.disk == drbd::DiskState::UpToDate;
  const std::size_t shown = own_disk ? replica_.index : 1 - replica_.index;
  open_reads_[request] = {buffer, sector, checker_.floor(shown, sector, sectors)};
  ++counts_.reads;
  replica_.step(input::Read{request, sector * 512, static_cast<std::uint32_t>(sectors * 512), buffer});
}

void Application::submit_write() {
  const std::uint64_t device = replica_.engine->status().size_bytes / 512;
  const bool data = prng().chance(7, 8);
  // Often the same few blocks, so that writes overlap; else anywhere, so that extents are evicted.
  const std::uint64_t area = prng().chance(1, 2) ? 512 : device;
  const std::uint64_t longest = data ? 256 : area;
  const std::uint64_t sectors = prng().chance(1, 10) ? 1 + prng().below(longest) : 1 + prng().below(data ? 16 : 128);
  const std::uint64_t sector = prng().below(area - std::min(area - 1, sectors));
  const RequestId request = numbers_.next_request++;
  const std::uint64_t stamp = numbers_.next_stamp++;
  input::Write write{request, sector * 512, static_cast<std::uint32_t>(sectors * 512), 0, prng().chance(1, 10)};
  if (data) {
    write.buffer = replica_.new_buffer(Replica::Stamps(sectors, stamp));
  } else {
    constexpr std::array kinds{WriteKind::discard, WriteKind::zeroes, WriteKind::zeroes_unmap};
    write.kind = kinds[prng().below(kinds.size())];
    open_zeroings_[request] = {sector, sectors, stamp};
    ++counts_.zeroings;
  }
  open_writes_[request] = stamp;
  if (write.fua) fua_.insert(request);
  checker_.submitted({stamp, replica_.index, sector, sectors, !data});
  replica_.step(write);
}

void Application::begun(std::uint64_t sector, const Replica::Stamps& stamps) {
  const bool zeroes = stamps.front() == 0;
  for (const auto& [request, each] : open_zeroings_)
    if (zeroes && sector >= each.sector && sector < each.sector + each.sectors) checker_.begun(each.stamp);
  if (!zeroes && checker_.wrote(stamps.front(), replica_.index)) checker_.begun(stamps.front());
}

bool Application::completed(const effect::Complete& effect, const Facts& facts) {
  const bool good = effect.error_number == 0;
  if (const auto read = open_reads_.extract(effect.request)) {
    const auto buffer = replica_.buffers.extract(read.mapped().buffer);
    if (good) checker_.has_read(replica_.index, read.mapped().sector, buffer.mapped(), read.mapped().floor);
    return good;
  }
  if (open_flushes_.erase(effect.request) == 1) {
    if (good) checker_.flush_acknowledged(effect.request, facts.own_disk, facts.durable_on_peer);
    return good;
  }
  const auto write = open_writes_.extract(effect.request);
  if (!write) {
    checker_.violation("a request is answered twice");
    return false;
  }
  const bool fua = fua_.erase(effect.request) == 1;
  open_zeroings_.erase(effect.request);
  if (!good) {
    checker_.failed(write.mapped());
    return false;
  }
  ReplicationChecker::Answer answer;
  answer.epoch = facts.epoch;
  answer.lease_valid = facts.lease_valid;
  answer.own_has = facts.own_disk;
  answer.durable = fua;
  answer.peer_has = facts.on_peer;
  answer.peer_durable = fua && facts.durable_on_peer;
  checker_.acknowledged(write.mapped(), answer);
  return true;
}

std::optional<std::uint64_t> Application::stamp_of(RequestId request) const {
  const auto found = open_writes_.find(request);
  if (found == open_writes_.end() || open_zeroings_.contains(request)) return std::nullopt;
  return found->second;
}

void Application::forget() {
  open_writes_.clear();
  open_flushes_.clear();
  open_zeroings_.clear();
  open_reads_.clear();
  fua_.clear();
}

}  // namespace bascule::sim
