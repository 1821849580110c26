//! What a reader of lines writes on: the row, and where the fields stand in it.

use super::kinds::{Kind, Labels};
use super::parts::{self, Peer};
use crate::format::Line;
use crate::record::{Label, Row, Slot};

slots! {
    time TIME, class CLASS, kind KIND, level LEVEL, loghost LOGHOST, instance INSTANCE,
    program PROGRAM, pid PID, queue_id QUEUE_ID, message MESSAGE, client CLIENT,
    client_name CLIENT_NAME, client_port CLIENT_PORT, sender SENDER, sender_domain SENDER_DOMAIN,
    recipient RECIPIENT, recipient_domain RECIPIENT_DOMAIN, original_recipient ORIGINAL_RECIPIENT,
    relay RELAY, relay_address RELAY_ADDRESS, duration DURATION, delay_before DELAY_BEFORE,
    delay_queue DELAY_QUEUE, delay_connect DELAY_CONNECT, delay_transmit DELAY_TRANSMIT,
    keepalive KEEPALIVE, tls_features TLS_FEATURES, dsn DSN, reply REPLY, delivery DELIVERY,
    reason REASON, action ACTION, stage STAGE, rule RULE, protocol PROTOCOL, helo HELO,
    message_id MESSAGE_ID, new_queue_id NEW_QUEUE_ID, original_queue_id ORIGINAL_QUEUE_ID,
    sasl_method SASL_METHOD,
    sasl_user SASL_USER, recipients RECIPIENTS, bytes BYTES, tls_trust TLS_TRUST,
    tls_version TLS_VERSION, tls_cipher TLS_CIPHER,
}

/// The row of a record, with the line whose parts are written into it.
#[derive(Debug)]
pub(super) struct Sheet<'s, 'b> {
    pub(super) line: Line<'s>,
    pub(super) row: &'s mut Row<'b>,
    pub(super) slots: &'s Slots,
    pub(super) labels: &'s Labels,
    /// The spaces from the beginning of the message on, as positions in the piece.
    pub(super) spaces: &'s [u32],
}

impl<'s> Sheet<'s, '_> {
    /// The spaces of a part of the line, as positions in it.
    #[inline]
    pub(super) fn spaces_of(&self, part: &[u8]) -> impl Iterator<Item = usize> + use<'s> {
        let (place, len) = (self.line.place(part), part.len());
        let spaces = self.spaces.iter().map(move |space| (*space as usize).wrapping_sub(place));
        // Those before are far away after the subtraction.
        spaces.skip_while(|space| *space > usize::MAX / 2).take_while(move |space| *space < len)
    }

    /// True when a word begins a part of the message that may be a queue id: one with a colon and a space behind it.
    #[inline]
    pub(super) fn has_colon_behind_first_word(&self, part: &[u8]) -> bool {
        let end = self.spaces_of(part).next();
        end.is_some_and(|end| end > 0 && part[end - 1] == b':')
    }

    /// Writes a part of the line.
    #[inline(always)] // A store or two, in every reader.
    pub(super) fn text(&mut self, slot: Slot, part: &[u8]) {
        self.line.write(self.row, slot, part);
    }

    /// Writes a part of the line, if it is there.
    #[inline]
    pub(super) fn some(&mut self, slot: Slot, part: Option<&[u8]>) {
        self.line.write_some(self.row, slot, part);
    }

    /// Writes digits as a number.
    #[inline]
    pub(super) fn digits(&mut self, slot: Slot, digits: &[u8]) {
        self.row.digits(slot, digits);
    }

    /// Writes a duration in seconds.
    #[inline]
    pub(super) fn seconds(&mut self, slot: Slot, text: &[u8]) {
        if slot.is_wanted()
            && let Some(micros) = parts::seconds(text)
        {
            self.row.number(slot, micros);
        }
    }

    /// Says what the record is about, and with that whether it is good or bad.
    #[inline]
    pub(super) fn kind(&mut self, kind: Kind) {
        self.row.label(self.slots.kind, self.labels.of(kind));
        self.row.label(self.slots.class, kind.class());
    }

    /// Writes a word of a closed vocabulary.
    #[inline]
    pub(super) fn label(&mut self, slot: Slot, label: Label) {
        self.row.label(slot, label);
    }

    /// The one who connected.
    #[inline]
    pub(super) fn client(&mut self, peer: &Peer<'_>) {
        let slots = self.slots;
        self.text(slots.client, peer.address);
        if !peer.name.is_empty() {
            self.text(slots.client_name, peer.name);
        }
        if let Some(port) = peer.port {
            self.digits(slots.client_port, port);
        }
    }

    /// The client behind the first ` from ` that has one.
    pub(super) fn client_after(&mut self, text: &[u8], word: &str) {
        if let Some(peer) = parts::peer_after(text, word) {
            self.client(&peer);
        }
    }

    /// Who was asked to take a message.
    #[inline]
    pub(super) fn relay(&mut self, relay: &[u8]) {
        let slots = self.slots;
        self.text(slots.relay, relay);
        if slots.relay_address.is_wanted()
            && let Some(peer) = parts::peer(relay)
        {
            self.text(slots.relay_address, peer.address);
        }
    }

    /// The envelope sender, without its brackets.
    #[inline]
    pub(super) fn sender(&mut self, address: &[u8]) {
        let slots = self.slots;
        self.text(slots.sender, address);
        if slots.sender_domain.is_wanted() {
            self.some(slots.sender_domain, parts::domain(address));
        }
    }

    /// The envelope recipient, without its brackets.
    #[inline]
    pub(super) fn recipient(&mut self, address: &[u8]) {
        let slots = self.slots;
        self.text(slots.recipient, address);
        if slots.recipient_domain.is_wanted() {
            self.some(slots.recipient_domain, parts::domain(address));
        }
    }
}
