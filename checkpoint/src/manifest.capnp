@0xd3c1a7f05b8e2694;
# The payload of a manifest file (docs/formats/manifest.md). Fields are only ever added, at the end; numbers are never used again.
# Times are microseconds of event time; names match [A-Za-z0-9._-]{1,64} unless a comment says otherwise.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("tidemark::wire");

struct Manifest {
  job @0 :Text;
  lineage @1 :Text;              # 32 hex digits
  attempt @2 :UInt64;
  checkpoint @3 :UInt64;
  previous @4 :UInt64;           # 0: none
  finished @5 :Bool;
  drained @6 :Bool;
  keyGroups @7 :UInt32;
  hash @8 :Text;
  seed @9 :UInt64;
  createdMs @10 :Int64;          # wall clock, for people only
  version @11 :Text;             # of Tidemark, for people only
  operators @12 :List(Operator);
  nextStateId @13 :UInt16;
  discardedStates @14 :List(UInt16);
  sources @15 :List(Source);
  tasks @16 :List(Task);
  sinks @17 :List(Text);
  committables @18 :List(Committable);
  files @19 :List(File);
}

struct Operator {
  name @0 :Text;
  kind @1 :Text;
  parallelism @2 :UInt32;
  states @3 :List(State);
}

struct State {
  id @0 :UInt16;
  name @1 :Text;
  kind @2 :Text;
  key @3 :Text;                  # schema texts
  value @4 :Text;
  parameters @5 :Text;
  timed @6 :Bool;
  fingerprint @7 :UInt64;
  droppedThrough @8 :Int64;
  liveBuckets @9 :List(Int64);
  entry @10 :Text;               # schema text
  stamped @11 :Bool;
}

struct Source {
  operator @0 :Text;
  splits @1 :List(Split);
}

struct Split {
  name @0 :Text;                 # any text
  position @1 :Data;
  finished @2 :Bool;
  progress @3 :Data;
}

struct Task {
  name @0 :Text;
  subtask @1 :UInt32;
  inputs @2 :List(Input);
  operators @3 :List(OperatorMeta);
}

struct Input {
  channel @0 :Text;              # any text
  watermark @1 :Int64;
  idle @2 :Bool;
  finished @3 :Bool;
}

struct OperatorMeta {
  name @0 :Text;                 # any text
  state @1 :Data;
  watermark @2 :Int64;
}

struct Committable {
  sink @0 :Text;
  subtask @1 :UInt32;
  epoch @2 :UInt64;
  bytes @3 :Data;
}

struct File {
  name @0 :Text;
  size @1 :UInt64;
  checksum @2 :UInt64;           # XXH3, 64 bit
}
