/* SPDX-License-Identifier: Apache-2.0 */
/* Places where a test may end the process. Only in test builds (SF_FAULT_SITES) is there
 * anything: SANDFLEET_FAULT="copy events/sent/3" is SIGKILL at the third time that step
 * "copy events" was handed to the connection. */
#ifndef SANDFLEET_COMMON_FAULT_H
#define SANDFLEET_COMMON_FAULT_H

#ifdef SF_FAULT_SITES
void fault_pass(const char *site, const char *when); /* tests/lib/fault.c */
#else
static inline void fault_pass(const char *site, const char *when)
{
    (void)site;
    (void)when;
}
#endif

#endif
