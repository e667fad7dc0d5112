#include <tidemark/operators/stream.hpp>

using namespace tidemark;

void build(Graph& graph, Source<long> numbers) {
  graph.from("numbers", numbers).flat_map<long, long>("remembered", [](const long&, Collector<long>&) {});
}
