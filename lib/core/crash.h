#pragma once

namespace sealane {

// When the process dies of a fatal signal, the stack of the thread at fault is written to stderr
// first; the signal then has its usual effect. Call once at the start of main, with argv[0].
void TellStackOnCrash(const char* program);

}  // namespace sealane
