/**
 * What the machine can do at best, measured: reading memory and multiplying. Everything that Gatun
 * says about its speed is a share of one of these, taken in the same process and in turns.
 */
package io.gatun.tools.yardstick;
