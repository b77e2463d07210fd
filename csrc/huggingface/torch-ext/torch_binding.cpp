// The ops register themselves in csrc/*.cpp, under the name of this build; this makes of the library a Python module.
#include "registration.h"

REGISTER_EXTENSION(TORCH_EXTENSION_NAME)
