/* One world (world.h) that many act in at once, on all of its wallets, over many connections; some
 * requests twice at the same time. Nobody can know beforehand what each is answered, but afterwards
 * the wallets' statements say in which order it happened: if there is one order that agrees with
 * all of them, in which the model gives every acknowledged answer to the unit, then all was as if
 * one had come after the other. Nothing else may stand in the statements, whatever was refused for
 * a reason that doesn't depend on the others must have been refused for it, and every key must say
 * the same again. */
#ifndef SUPPORT_CROWD_H
#define SUPPORT_CROWD_H

#include "support/world.h"

#define CROWD_CONNECTIONS 8
#define CROWD_STREAMS 4 /* calls under way on each */

/* Of a crowded walk. False: world->complaint says what is wrong. */
bool crowd_walk(struct world *world);

#endif
