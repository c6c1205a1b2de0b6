/* SPDX-License-Identifier: Apache-2.0 */
#include "producer/exit_status.h"

#include "common/banned.h"

#define EXIT_ROW(name, status, when) {status, when},
const struct exit_row exit_rows[] = {EXIT_MAP(EXIT_ROW)};
#undef EXIT_ROW
const size_t exit_rows_n = COUNTOF(exit_rows);

enum exit_status exit_status_of(enum err_code code)
{
    switch (code) {
    case ERR_OK:
        return EXIT_OK;
    case ERR_INVALID:
    case ERR_TOO_BIG:
        return EXIT_BAD_INPUT;
    case ERR_CONFLICT:
        return EXIT_CONFLICT;
    case ERR_NOT_FOUND:
    case ERR_GONE:
        return EXIT_NOT_FOUND;
    case ERR_USAGE:
        return EXIT_USAGE;
    case ERR_UNAUTHORIZED:
        return EXIT_AUTH;
    case ERR_TIMEOUT:
    case ERR_THROTTLED:
    case ERR_UNAVAILABLE:
    case ERR_CAPACITY:
        return EXIT_UNAVAILABLE;
    case ERR_PROTOCOL:
        return EXIT_PROTOCOL;
    case ERR_IO:
        return EXIT_IO;
    case ERR_CANCELLED:
        return EXIT_INTERRUPTED;
    case ERR_CONFIG:
        return EXIT_CONFIG;
    case ERR_NOMEM:
        return EXIT_MEMORY;
    case ERR_INTERNAL:
    case ERR_CODES:
        break;
    }
    return EXIT_BUG;
}
