/** Text to tokens and back: tokenizer, streamed text, chat templates, conversations as messages. */
package io.gatun.tools.text;
