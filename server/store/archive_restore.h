/* A month that store/archive.h took out, back into the database: read from its files, which must be
 * what was written, attached, and its rows of `archives` removed; all in one transaction. */
#ifndef STORE_ARCHIVE_RESTORE_H
#define STORE_ARCHIVE_RESTORE_H

#include "store/archive.h"

/* False: archive->error says why, and nothing has changed. `render` isn't needed. */
bool archive_restore(struct archive *archive);

#endif
