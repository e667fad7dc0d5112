#pragma once
// A sink for a job's quarantine stream.

#include <string>

#include <tidemark/operators/quarantine.hpp>
#include <tidemark/operators/sink.hpp>

namespace tidemark {
inline namespace v0 {

// As csv_sink, with the columns operator, reason, split, position, time, decision_watermark, error, payload. Times that are not known are
// empty. The payload holds the raw bytes; what is not printable UTF-8, but for tabs and line ends, is written as \xNN, and a backslash as
// two, so that the bytes can be had back.
Sink<Quarantined> quarantine_csv_sink(std::string directory);

}  // namespace v0
}  // namespace tidemark
