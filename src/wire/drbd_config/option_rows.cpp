#include "wire/drbd_config/detail/option.h"

namespace bascule::drbd_config::detail {
namespace {

/// Everything is a number but texts: a choice is `low` + the index of its word, yes_or_no is 0 or 1.
template <auto Part, auto Field>
struct Access {
  using Value = std::remove_cvref_t<decltype((Options{}.*Part).*Field)>;
  static void put_number(Options& options, std::int64_t value) { (options.*Part).*Field = static_cast<Value>(value); }
  static std::int64_t number(const Options& options) { return static_cast<std::int64_t>((options.*Part).*Field); }
};

template <auto Part, auto Field>
struct TextAccess {
  static void put(Options& options, std::string value) { (options.*Part).*Field = std::move(value); }
  static std::string get(const Options& options) { return (options.*Part).*Field; }
};

struct Range {
  std::int64_t low;
  std::int64_t high;
  std::int64_t unit_bytes = 1;
  const char* unit_words = "";
};

template <Section In, auto Part>
struct Rows {
  template <auto Field>
  static Option number(std::string_view name, Range range, std::string_view old_name = {}) {
    using Field_ = Access<Part, Field>;
    return {In,
            name,
            old_name,
            Kind::number,
            range.low,
            range.high,
            range.unit_bytes,
            range.unit_words,
            {},
            Field_::put_number,
            Field_::number,
            nullptr,
            nullptr};
  }
  template <auto Field>
  static Option yes_or_no(std::string_view name) {
    using Field_ = Access<Part, Field>;
    return {In,      name,   {}, Kind::yes_or_no, 0, 1, 1, "", {"no", "yes"}, Field_::put_number, Field_::number,
            nullptr, nullptr};
  }
  template <auto Field>
  static Option word(std::string_view name, std::vector<const char*> words, std::int64_t low = 0) {
    using Field_ = Access<Part, Field>;
    return {In,      name,   {}, Kind::word, low, 0, 1, "", std::move(words), Field_::put_number, Field_::number,
            nullptr, nullptr};
  }
  template <auto Field>
  static Option text(std::string_view name, std::int64_t characters_max) {
    using Field_ = TextAccess<Part, Field>;
    return {In, name, {}, Kind::text, 0, characters_max, 1, "", {}, nullptr, nullptr, Field_::put, Field_::get};
  }
};

constexpr const char* tenths = "tenths of a second";
constexpr const char* whole_seconds = "seconds";
constexpr const char* bytes = "bytes";
constexpr const char* sectors = "sectors of 512 bytes";
constexpr const char* rate = "KiB per second";

constexpr std::int64_t algorithm_characters_max = 64;
constexpr std::int64_t secret_characters_max = 64;
constexpr std::int64_t cpu_mask_characters_max = 32;
constexpr std::int64_t buffer_bytes_max = 10 << 20;

std::vector<Option> split_brain_rows() {
  using Net_ = Rows<Section::net, &Options::net>;
  return {
      Net_::word<&Net::after_sb_0pri>(
          "after-sb-0pri", {"disconnect", "discard-younger-primary", "discard-older-primary", "discard-zero-changes",
                            "discard-least-changes", "discard-local", "discard-remote"}),
      Net_::word<&Net::after_sb_1pri>("after-sb-1pri", {"disconnect", "consensus", "discard-secondary",
                                                        "call-pri-lost-after-sb", "violently-as0p"}),
      Net_::word<&Net::after_sb_2pri>("after-sb-2pri", {"disconnect", "call-pri-lost-after-sb", "violently-as0p"}),
      Net_::yes_or_no<&Net::always_asbp>("always-asbp"),
      Net_::word<&Net::rr_conflict>("rr-conflict", {"disconnect", "call-pri-lost", "violently"}),
      Net_::yes_or_no<&Net::allow_two_primaries>("allow-two-primaries"),
  };
}

std::vector<Option> digest_rows() {
  using Net_ = Rows<Section::net, &Options::net>;
  return {
      Net_::text<&Net::cram_hmac_alg>("cram-hmac-alg", algorithm_characters_max),
      Net_::text<&Net::shared_secret>("shared-secret", secret_characters_max),
      Net_::text<&Net::data_integrity_alg>("data-integrity-alg", algorithm_characters_max),
      Net_::text<&Net::verify_alg>("verify-alg", algorithm_characters_max),
      Net_::text<&Net::csums_alg>("csums-alg", algorithm_characters_max),
      Net_::yes_or_no<&Net::csums_after_crash_only>("csums-after-crash-only"),
  };
}

std::vector<Option> connection_rows() {
  using Net_ = Rows<Section::net, &Options::net>;
  return {
      Net_::word<&Net::protocol>("protocol", {"A", "B", "C"}, 1),
      Net_::number<&Net::timeout_ds>("timeout", {1, 600, 1, tenths}),
      Net_::number<&Net::ko_count>("ko-count", {0, 200}),
      Net_::number<&Net::ping_int_s>("ping-int", {1, 120, 1, whole_seconds}),
      Net_::number<&Net::ping_timeout_ds>("ping-timeout", {1, 300, 1, tenths}),
      Net_::number<&Net::connect_int_s>("connect-int", {1, 120, 1, whole_seconds}),
      Net_::number<&Net::socket_check_timeout_ds>("socket-check-timeout", {0, 300, 1, tenths}),
      Net_::number<&Net::max_buffers>("max-buffers", {32, 131072, 1, "pages of 4 KiB"}),
      Net_::number<&Net::max_epoch_size>("max-epoch-size", {1, 20000, 1, "writes"}),
      Net_::number<&Net::sndbuf_size>("sndbuf-size", {0, buffer_bytes_max, 1, bytes}),
      Net_::number<&Net::rcvbuf_size>("rcvbuf-size", {0, buffer_bytes_max, 1, bytes}),
      Net_::yes_or_no<&Net::tcp_cork>("tcp-cork"),
      Net_::yes_or_no<&Net::use_rle>("use-rle"),
      Net_::word<&Net::on_congestion>("on-congestion", {"block", "pull-ahead", "disconnect"}),
      Net_::number<&Net::congestion_fill_sectors>("congestion-fill", {0, 20971520, 512, sectors}),
      Net_::number<&Net::congestion_extents>("congestion-extents", {67, 65534}),
      Net_::number<&Net::unplug_watermark>("unplug-watermark", {1, 131072}),
  };
}

std::vector<Option> local_disk_rows() {
  using Disk_ = Rows<Section::disk, &Options::disk>;
  return {
      Disk_::number<&Disk::size_sectors>("size", {0, 2199023255552, 512, sectors}),
      Disk_::word<&Disk::on_io_error>("on-io-error", {"pass_on", "call-local-io-error", "detach"}),
      Disk_::word<&Disk::fencing>("fencing", {"dont-care", "resource-only", "resource-and-stonith"}),
      Disk_::word<&Disk::read_balancing>(
          "read-balancing",
          {"prefer-local", "prefer-remote", "round-robin", "least-pending", "when-congested-remote", "32K-striping",
           "64K-striping", "128K-striping", "256K-striping", "512K-striping", "1M-striping"}),
      Disk_::yes_or_no<&Disk::disk_barrier>("disk-barrier"),
      Disk_::yes_or_no<&Disk::disk_flushes>("disk-flushes"),
      Disk_::yes_or_no<&Disk::disk_drain>("disk-drain"),
      Disk_::yes_or_no<&Disk::md_flushes>("md-flushes"),
      Disk_::number<&Disk::al_extents>("al-extents", {67, 65534}),
      Disk_::yes_or_no<&Disk::al_updates>("al-updates"),
      Disk_::number<&Disk::disk_timeout_ds>("disk-timeout", {0, 6000, 1, tenths}),
      Disk_::yes_or_no<&Disk::discard_zeroes_if_aligned>("discard-zeroes-if-aligned"),
      Disk_::yes_or_no<&Disk::disable_write_same>("disable-write-same"),
      Disk_::number<&Disk::max_bio_bvecs>("max-bio-bvecs", {0, 128}),
  };
}

std::vector<Option> resync_rows() {
  using Disk_ = Rows<Section::disk, &Options::disk>;
  return {
      Disk_::number<&Disk::resync_rate_kib_per_s>("resync-rate", {1, 4194304, 1024, rate}, "rate"),
      Disk_::number<&Disk::resync_after_minor>("resync-after", {-1, 1048575}, "after"),
      Disk_::number<&Disk::c_plan_ahead_ds>("c-plan-ahead", {0, 300, 1, tenths}),
      Disk_::number<&Disk::c_delay_target_ds>("c-delay-target", {1, 100, 1, tenths}),
      Disk_::number<&Disk::c_fill_target_sectors>("c-fill-target", {0, 1048576, 512, sectors}),
      Disk_::number<&Disk::c_max_rate_kib_per_s>("c-max-rate", {250, 4194304, 1024, rate}),
      Disk_::number<&Disk::c_min_rate_kib_per_s>("c-min-rate", {0, 4194304, 1024, rate}),
      Disk_::number<&Disk::rs_discard_granularity_bytes>("rs-discard-granularity", {0, 1048576, 1, bytes}),
  };
}

std::vector<Option> resource_rows() {
  using Resource_ = Rows<Section::options, &Options::resource>;
  return {
      Resource_::word<&ResourceOptions::on_no_data_accessible>("on-no-data-accessible", {"io-error", "suspend-io"}),
      Resource_::text<&ResourceOptions::cpu_mask>("cpu-mask", cpu_mask_characters_max),
  };
}

}  // namespace

const std::vector<Option>& all_options() {
  static const std::vector<Option> rows = [] {
    std::vector<Option> all;
    for (auto part :
         {connection_rows(), split_brain_rows(), digest_rows(), local_disk_rows(), resync_rows(), resource_rows()})
      all.insert(all.end(), part.begin(), part.end());
    return all;
  }();
  return rows;
}

const std::vector<std::string>& handler_names() {
  static const std::vector<std::string> names{
      "pri-on-incon-degr",    "pri-lost-after-sb",   "pri-lost",    "fence-peer",           "unfence-peer",
      "local-io-error",       "initial-split-brain", "split-brain", "before-resync-target", "after-resync-target",
      "before-resync-source", "out-of-sync",         "quorum-lost", "disconnected"};
  return names;
}

}  // namespace bascule::drbd_config::detail
