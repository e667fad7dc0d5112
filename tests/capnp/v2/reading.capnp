@0xb0a1c2d3e4f50617;
# The second release: fields are added to both structs, an enumerant to the enum, and one field has a new name.
using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("wire");

struct Reading @0x9d5b3c1a7e2f4860 {
  sensorName @0 :Text;
  celsius @1 :Float64 = -273.15;
  place @2 :Place;
  tags @3 :List(Text);
  union {
    none @4 :Void;
    error @5 :UInt16;
  }
  kind @6 :Kind;
  humidity @7 :Float32 = 0.5;
  history @8 :List(Sample);
}
struct Place @0xa1b2c3d4e5f60718 {
  x @0 :Int32;
  y @1 :Int32;
  floor @2 :Text = "ground";
}
struct Sample @0xd1e2f30415263748 {
  at @0 :Int64;
}
enum Kind @0xc1d2e3f405162738 {
  air @0;
  water @1;
  soil @2;
}
