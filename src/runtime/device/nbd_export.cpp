#include "runtime/device/nbd_export.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "runtime/device/detail/nbd_client.h"
#include "runtime/uring/unix_socket.h"

namespace bascule::device {

Result<std::unique_ptr<NbdExport>> NbdExport::listen(uring::Ring& ring, uring::BufferPool& pool, Volume& volume,
                                                     const std::string& path) {
  const auto listener = uring::listen_unix(path);
  if (!listener) return tl::unexpected(listener.error());
  return std::unique_ptr<NbdExport>(new NbdExport(ring, pool, volume, path, *listener));
}

NbdExport::NbdExport(uring::Ring& ring, uring::BufferPool& pool, Volume& volume, std::string path, int listener)
    : ring_(ring), pool_(pool), volume_(volume), path_(std::move(path)), listener_(listener) {
  accept();
}

NbdExport::~NbdExport() {
  ring_.abandon(accepting_);
  ring_.cancel_timer(accept_again_);
  ::unlink(path_.c_str());
  ::close(listener_);
  close_clients();
  flush(false);
}

void NbdExport::accept() {
  accepting_ = ring_.accept(listener_, [this](int result) { accepted(result); });
}

void NbdExport::accepted(int result) {
  if (result == -ECANCELED) return;
  if (result >= 0 && clients_.size() >= kClients) {
    ::close(result);
  } else if (result >= 0) {
    clients_.push_back(std::make_unique<NbdClient>(ring_, pool_, volume_, result));
    clients_.back()->start();
  }
  if (result == -EMFILE || result == -ENFILE || result == -ENOMEM) {  // try again when that may have passed
    accept_again_ = ring_.timer(uring::Ring::now() + seconds(1), [this](int) { accept(); });
    return;
  }
  accept();
}

std::size_t NbdExport::attached() const {
  return static_cast<std::size_t>(
      std::count_if(clients_.begin(), clients_.end(), [](const auto& client) { return client->attached(); }));
}

void NbdExport::close_clients() {
  for (auto& client : clients_) client->end("the export is closed");
}

void NbdExport::flush(bool buffers) {
  for (auto& client : clients_) {
    if (buffers) client->resume();
    client->flush();
    if (client->ended()) ring_.bury(std::move(client));
  }
  std::erase(clients_, nullptr);
}

}  // namespace bascule::device
