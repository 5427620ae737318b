// SPDX-License-Identifier: MIT
/* SQL that makes a store one of version 2, in which rows can be changed behind its back: the next
 * opening takes them as they are. */
#ifndef CDRFS_TESTS_UNSEAL_H
#define CDRFS_TESTS_UNSEAL_H

#define UNSEAL                                                                                     \
    "ALTER TABLE call DROP COLUMN sum; ALTER TABLE call DROP COLUMN body_sum;"                     \
    "DROP TABLE part; DROP TABLE whole; DROP INDEX call_from; DROP INDEX call_to;"                 \
    "DROP TABLE unshared;"                                                                         \
    "PRAGMA user_version = 2;"

#endif
