#include "edge/cli/import_command.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>

#include "edge/cli/drbd_files.h"
#include "edge/cli/import_drbd.h"

namespace bascule::cli {
namespace {

/// Passwords stand in it, so that only its owner may read it.
Result<void> write_new(const std::string& path, const std::string& text) {
  const int descriptor = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (descriptor < 0 && errno == EEXIST)
    return fail("the imported configuration is not written", path, "the file is already there",
                "name another file, or remove this one");
  if (descriptor < 0) return fail_errno("the imported configuration is not written", path, errno);
  std::size_t done = 0;
  while (done < text.size()) {
    const auto count = ::write(descriptor, text.data() + done, text.size() - done);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) break;
    done += static_cast<std::size_t>(count);
  }
  const int error_number = done < text.size() ? errno : 0;
  ::close(descriptor);
  if (error_number == 0) return {};
  ::unlink(path.c_str());
  return fail_errno("the imported configuration is not written", path, error_number);
}

std::string told(const Imported& imported, const std::string& output) {
  auto text = fmt::format("No automatic takeover: {} nodes with neither witness nor fencing.\n", imported.nodes.size());
  for (const auto& remark : imported.remarks) text += fmt::format("{}: {}\n", remark.where, remark.text);
  const std::string to = output.empty() ? "can be imported" : "imported to " + output;
  return text + fmt::format("{} volumes on {} nodes {}; {} remarks.\n", imported.volumes.size(), imported.nodes.size(),
                            to, imported.remarks.size());
}

}  // namespace

Result<json> run_import(const ImportRequest& request) {
  const auto document = load_drbd(request.file.empty() ? default_drbd_file("/etc") : request.file);
  if (!document) return tl::unexpected(document.error());
  const auto imported = import_drbd(*document, request.node);
  if (!imported) return tl::unexpected(imported.error());
  const bool writes = !request.only_check && !request.output.empty();
  if (writes)
    if (const auto written = write_new(request.output, imported->toml); !written)
      return tl::unexpected(written.error());
  json remarks = json::array();
  for (const auto& remark : imported->remarks) remarks.push_back({{"where", remark.where}, {"text", remark.text}});
  json answer{{"ok", true}, {"volumes", imported->volumes}, {"nodes", imported->nodes}, {"remarks", remarks}};
  if (!request.only_check) answer["toml"] = imported->toml;
  answer["text"] = request.only_check || writes ? told(*imported, writes ? request.output : "") : imported->toml;
  return answer;
}

}  // namespace bascule::cli
