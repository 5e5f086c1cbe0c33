/** Runs decoders from Hugging Face folders, on a KV cache outside the heap. */
package io.gatun.tools.model;
