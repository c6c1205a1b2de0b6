/* SPDX-License-Identifier: Apache-2.0 */
/* sandfleet-init: the first process of each sandbox. Started by sandfleet-sandboxd. */
#include "sandboxd/sandbox/init_internal.h"

#include "common/banned.h"

int main(void)
{
    return init_main();
}
