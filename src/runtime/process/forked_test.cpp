#include "runtime/process/forked.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <optional>

namespace bascule::process {
namespace {

std::optional<std::string> answer_of(const std::function<std::string()>& work) {
  boost::asio::io_context io;
  std::optional<std::string> answer;
  EXPECT_TRUE(run_forked(io, "bascule-copy", work, [&](std::string text) { answer = std::move(text); }));
  EXPECT_FALSE(answer.has_value());
  io.run_for(std::chrono::seconds(30));
  return answer;
}

TEST(Forked, AnswersWithWhatTheWorkReturned) {
  const std::string large(300'000, 'x');  // more than a pipe holds
  EXPECT_EQ(answer_of([&] { return large; }), large);
  EXPECT_EQ(answer_of([parent = ::getpid()] { return std::string(::getpid() == parent ? "here" : "in a copy"); }),
            "in a copy");
}

TEST(Forked, WithoutAWordTheAnswerIsEmpty) {
  EXPECT_EQ(answer_of([]() -> std::string { ::raise(SIGKILL), ::_exit(1); }), "");
}

/// The parent of the copy is killed; this pipe is closed when the last of the two is gone.
TEST(Forked, TheCopyEndsWithItsParent) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe(ends.data()), 0);
  const pid_t parent = ::fork();
  if (parent == 0) {
    boost::asio::io_context io;
    ::dup2(ends[1], 1);  // the copy keeps the first three
    ::close(ends[1]);
    const bool started = run_forked(
        io, "bascule-copy",
        []() -> std::string {
          [[maybe_unused]] const ssize_t written = ::write(1, "w", 1);
          for (;;) ::pause();
        },
        [](const std::string&) {});
    if (!started) ::_exit(1);
    for (;;) ::pause();
  }
  ::close(ends[1]);
  char byte = 0;
  ASSERT_EQ(::read(ends[0], &byte, 1), 1);
  EXPECT_EQ(::kill(parent, SIGKILL), 0);
  EXPECT_EQ(::read(ends[0], &byte, 1), 0) << "somebody still has it";
  ::close(ends[0]);
  EXPECT_EQ(::waitpid(parent, nullptr, 0), parent);
}

}  // namespace
}  // namespace bascule::process
