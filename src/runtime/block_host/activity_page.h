#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "base/result.h"
#include "base/time.h"

/// Counters of one volume in the mapped file RUN_DIR/activity.VOLUME. They outlive the process that wrote them, so that
/// one can say afterwards when a killed node last wrote. Native byte order, one machine only.
namespace bascule::block_host {

inline constexpr std::uint64_t activity_page_magic = 0x6261736c61637476;  // "baslactv"

struct ActivityPage {
  std::uint64_t magic;
  std::atomic<std::int64_t> last_acknowledged_ns;  ///< CLOCK_BOOTTIME of the newest write answered to an application
  std::atomic<std::int64_t> last_local_write_ns;   ///< ... written to this node's disk for an application, as primary
  std::atomic<std::uint64_t> writes_acknowledged;  ///< since the file was made
  std::atomic<std::int64_t> primary_since_ns;      ///< 0 while secondary
  std::atomic<std::uint64_t> epoch;                ///< of the current or the last promotion
};
static_assert(sizeof(ActivityPage) == 48);

/// The only writer of a page.
class ActivityWriter {
 public:
  /// Opens or makes the file. Errors: it cannot be made or mapped.
  [[nodiscard]] static Result<ActivityWriter> open(const std::string& path);
  ActivityWriter(ActivityWriter&& other) noexcept;
  ActivityWriter& operator=(ActivityWriter&&) = delete;
  ~ActivityWriter();

  void acknowledged(Instant when) {
    page_->last_acknowledged_ns.store(to_ns(when), std::memory_order_relaxed);
    page_->writes_acknowledged.fetch_add(1, std::memory_order_relaxed);
  }
  void written(Instant when) { page_->last_local_write_ns.store(to_ns(when), std::memory_order_relaxed); }
  void became_primary(std::uint64_t epoch, Instant when) {
    page_->epoch.store(epoch);
    page_->primary_since_ns.store(to_ns(when));
  }
  void became_secondary() { page_->primary_since_ns.store(0); }

 private:
  explicit ActivityWriter(ActivityPage* page) : page_(page) {}
  ActivityPage* page_;
};

}  // namespace bascule::block_host
