/* SPDX-License-Identifier: Apache-2.0 */
/* The client's configuration file: settings by their options' names, for all or in profiles.
 *
 *   profile = staging              # which one, when neither --profile nor SANDFLEET_PROFILE says
 *   tenant = acme                  # for all of them
 *   [staging]
 *   brokers = kafka-1:9092,kafka-2:9092
 *   api-url = https://sandfleet.example
 *   api-key-file = staging.key     # beside this file; the key itself only where chmod 600 keeps it
 *   kafka.security.protocol = SASL_SSL
 *   kafka.sasl.password-file = ~/.secrets/kafka
 *
 * It is $SANDFLEET_CONFIG or --config, else sandfleet/config in $XDG_CONFIG_HOME or ~/.config,
 * where it may be missing. The environment is stronger than the file, a flag than both. Blocks. */
#ifndef SANDFLEET_PRODUCER_CONFIG_CONFIG_H
#define SANDFLEET_PRODUCER_CONFIG_CONFIG_H

#include "common/option/option.h"

struct config; /* opaque */

/* path, profile: as flag or variable say; NULL: they do not. ERR_CONFIG says where it is wrong:
 * the file, the line, and what is nearest to a name that is not known; ERR_NOMEM. */
enum err_code config_load(const char *path, const char *profile, struct config **out,
                          struct err *err) MUST_USE;
void config_free(struct config *c);

/* Its values, for option_parse_from(); lives as long as c. */
const struct opt_source *config_source(struct config *c);

const char *config_path(const struct config *c);                 /* NULL: no file was there */
const char *config_profile(const struct config *c);              /* NULL: none is chosen */
const char *config_profile_at(const struct config *c, size_t i); /* all of them; NULL: no more */

/* How many settings it has for librdkafka: they are the first ones of --kafka-prop's list, and may
 * be passwords. c NULL: none. */
size_t config_n_props(struct config *c);

/* Where the file is looked for; NULL: no such place, as neither variable is set. free() it. */
char *config_default_path(void);

/* May this row stand in the file? */
bool config_has(const struct opt *row);

#endif
