#pragma once
// Plain lines of text in and out.

#include <string>

#include <tidemark/file/input.hpp>
#include <tidemark/operators/sink.hpp>
#include <tidemark/operators/source.hpp>

namespace tidemark {
inline namespace v0 {

// Each line, without its line end (LF or CRLF), empty ones too. A line that is not UTF-8 or contains NUL is refused (reason `decode`). A
// byte order mark is skipped.
Source<std::string> lines_source(FileInput input);

// As csv_sink, with files `<sink>-<epoch>-<subtask>.txt`. A record that contains a line end fails the job.
Sink<std::string> lines_sink(std::string directory);

}  // namespace v0
}  // namespace tidemark
