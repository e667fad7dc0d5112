#pragma once
// Sources and sinks in memory for a simulated world: records that take virtual time, and commits that are lines of the trace, so that the
// process may die before one and after one.

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>

#include <tidemark/operators/sink.hpp>
#include <tidemark/operators/source.hpp>

#include "simulation.hpp"

namespace tidemark::simulation {

// A source has so many records of each split at a time, and then none for a while.
struct Pace {
  std::size_t records = 0;
  std::chrono::milliseconds pause{0};
};
std::shared_ptr<SourceBase> paced(std::shared_ptr<SourceBase> source, Pace pace);
template <class T>
Source<T> paced(const Source<T>& source, Pace pace) {
  return Source<T>(paced(source.base(), pace));
}

// `world` outlives the sink.
std::shared_ptr<SinkBase> watched(Simulation& world, std::string name, std::shared_ptr<SinkBase> sink);
template <class T>
Sink<T> watched(Simulation& world, const std::string& name, const Sink<T>& sink) {
  return Sink<T>(watched(world, name, sink.base()));
}

}  // namespace tidemark::simulation
