//! Caches leads in memory in their stored form, at a quarter of their unfolded size.

use leadstream_schemas::LeadId;
use lru::LruCache;

/// Bytes that an entry takes besides its two texts: the list's node, the index, the allocator.
const ENTRY: usize = 160;

/// The most recently used leads of a partition, within a limit in bytes.
#[derive(Debug)]
pub(crate) struct LeadCache {
    leads: LruCache<LeadId, Box<[u8]>>,
    bytes: usize,
}

impl LeadCache {
    pub(crate) fn new() -> Self {
        Self {
            leads: LruCache::unbounded(),
            bytes: 0,
        }
    }

    pub(crate) fn get(&mut self, lead_id: &str) -> Option<&[u8]> {
        self.leads.get(lead_id).map(|body| &**body)
    }

    pub(crate) fn contains(&self, lead_id: &LeadId) -> bool {
        self.leads.contains(lead_id)
    }

    /// Adds a lead and evicts the least recently used ones beyond `room` bytes.
    pub(crate) fn put(&mut self, lead_id: LeadId, body: Box<[u8]>, room: usize) {
        self.remove(&lead_id);
        self.bytes += size(&lead_id, &body);
        self.leads.put(lead_id, body);
        self.shrink(room);
    }

    /// Evicts leads until the rest fits into `room` bytes.
    pub(crate) fn shrink(&mut self, room: usize) {
        while self.bytes > room
            && let Some((lead_id, body)) = self.leads.pop_lru()
        {
            self.bytes -= size(&lead_id, &body);
        }
    }

    pub(crate) fn remove(&mut self, lead_id: &LeadId) {
        if let Some(body) = self.leads.pop(lead_id) {
            self.bytes -= size(lead_id, &body);
        }
    }

    pub(crate) fn clear(&mut self) {
        self.leads.clear();
        self.bytes = 0;
    }
}

const fn size(lead_id: &LeadId, body: &[u8]) -> usize {
    ENTRY + lead_id.as_str().len() + body.len()
}

#[cfg(test)]
mod tests {
    use super::{ENTRY, LeadCache};

    #[test]
    fn the_leads_that_were_of_use_last_stay_within_the_room() {
        let room = 3 * (ENTRY + 1 + 10);
        let mut cache = LeadCache::new();
        for id in ["a", "b", "c"] {
            cache.put(id.into(), vec![0; 10].into(), room);
        }
        assert!(cache.get("a").is_some());
        cache.put("d".into(), vec![0; 10].into(), room);
        assert!(cache.get("b").is_none());
        assert!(cache.get("a").is_some() && cache.get("c").is_some() && cache.get("d").is_some());
    }

    #[test]
    fn a_lead_that_grows_counts_once() {
        let mut cache = LeadCache::new();
        for length in [10, 500, 20] {
            cache.put("a".into(), vec![0; length].into(), 1000);
            assert_eq!(cache.bytes, ENTRY + 1 + length);
        }
        cache.shrink(100);
        assert_eq!((cache.bytes, cache.get("a")), (0, None));
    }
}
