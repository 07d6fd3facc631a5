//! Models the surroundings of the engine.

use super::*;

/// Kafka and PostgreSQL, as far as the fold sees them.
pub(super) struct World<'a> {
    pub(super) fixture: &'a Fixture,
    pub(super) counts: Counts,
    pub(super) queues: Vec<VecDeque<Record>>,
    pub(super) offsets: Vec<Offset>,
    pub(super) leads: HashMap<LeadId, Box<Lead>>,
    pub(super) identities: HashMap<Identity, LeadId>,
    pub(super) evicted: HashSet<DedupId>,
    pub(super) events: Vec<LeadEvent>,
    pub(super) replies: Vec<Reply>,
    /// Outcomes of commands, by command id.
    pub(super) decided: BTreeMap<InputId, CommandDecision>,
    /// The home and the due time, by lead id.
    pub(super) timers: BTreeMap<LeadId, (Partition, Timestamp)>,
    /// Committed and unpublished records, with the partition that they came from.
    pub(super) outbox: Vec<(Partition, Outgoing)>,
    pub(super) tombstones: erase::Tombstones,
}

impl<'a> World<'a> {
    pub(super) fn new(fixture: &'a Fixture) -> Self {
        Self {
            fixture,
            counts: Counts::default(),
            queues: vec![VecDeque::new(); PARTITIONS],
            offsets: vec![Offset(0); PARTITIONS],
            leads: HashMap::default(),
            identities: HashMap::default(),
            evicted: HashSet::default(),
            events: Vec::new(),
            replies: Vec::new(),
            decided: BTreeMap::new(),
            timers: BTreeMap::new(),
            outbox: Vec::new(),
            tombstones: erase::Tombstones::default(),
        }
    }

    /// Writes a record as a producer that knows `partitions` partitions.
    fn produce(&mut self, key: &[u8], value: &[u8], partitions: usize) {
        let home = partition_of(key, partitions);
        let partition = usize::try_from(home.0).unwrap();
        let record = Record {
            partition: home,
            offset: self.offsets[partition],
            key: key.into(),
            value: value.to_vec().into(),
            written_at: None,
            trace: None,
        };
        self.offsets[partition] = self.offsets[partition].next();
        self.queues[partition].push_back(record);
    }

    pub(super) fn deliver(&mut self, input: &LeadInput) {
        let value = encode(9, input).unwrap();
        // The topic has grown, and not every producer knows that yet.
        let is_straggler = value.iter().map(|byte| usize::from(*byte)).sum::<usize>() % 4 == 0;
        let partitions = PARTITIONS - usize::from(is_straggler);
        let key = input.sender.key().unwrap();
        self.produce(key.as_bytes(), &value, partitions);
    }

    /// Reads until nothing is left to read.
    pub(super) fn come_to_rest(
        &mut self,
        choices: &[(usize, usize)],
        timed: bool,
    ) -> Result<(), TestCaseError> {
        let mut choices = choices.iter().cycle();
        let mut steps = 0;
        while let Some((choice, count)) = choices.next()
            && self.step(*choice, *count)?
        {
            steps += 1;
            prop_assert!(steps < 1000, "the leads do not come to rest");
            if timed {
                self.fire_now_and_then(*choice, *count)?;
            }
        }
        Ok(())
    }

    /// Folds one batch of up to `count` records of a partition that has any.
    pub(super) fn step(&mut self, choice: usize, count: usize) -> Result<bool, TestCaseError> {
        if choice.is_multiple_of(2) || self.waiting().is_empty() {
            self.publish()?;
        }
        let waiting = self.waiting();
        if waiting.is_empty() {
            return Ok(false);
        }
        let queue = &mut self.queues[waiting[choice % waiting.len()]];
        let batch: Vec<Record> = queue.drain(..count.min(queue.len())).collect();
        let known = LoadedState {
            leads: self.leads.clone(),
            identities: self.identities.clone(),
            evicted: self.evicted.clone(),
            erased: self.erasures(choice >= PARTITIONS),
        };
        let folded = self.fixture.fold(&batch, known);
        self.commit(folded)?;
        Ok(true)
    }

    pub(super) fn commit(&mut self, folded: BatchResult) -> Result<(), TestCaseError> {
        let (all, these) = (&mut self.counts, &folded.counts);
        all.late += these.late;
        all.duplicates += these.duplicates;
        all.forwarded += these.forwarded;
        all.merges += these.merges;
        all.timers += these.timers;
        all.erasures += these.erasures;
        all.deliveries_applied += these.deliveries_applied;
        self.erase(&folded);
        for (lead_id, changed) in folded.leads {
            prop_assert_eq!(
                changed.created,
                !self.leads.contains_key(&lead_id),
                "created is true once"
            );
            // The form in which PostgreSQL stores the lead.
            let stored = Box::new(Lead::from_bytes(&changed.serialized_state).unwrap());
            match stored.timer_due_at {
                Some(due) => self
                    .timers
                    .insert(lead_id.clone(), (changed.partition, due)),
                None => self.timers.remove(&lead_id),
            };
            if !changed.has_another_profile {
                let before = self.leads.get(&lead_id).map(|lead| lead.profile());
                prop_assert!(changed.created || before == Some(stored.profile()));
            }
            self.leads.insert(lead_id, stored);
        }
        commands::note(&mut self.decided, folded.commands);
        for (identity, lead_id) in folded.identities {
            let before = self.identities.insert(identity, lead_id);
            prop_assert_eq!(before, None, "an id is written once");
        }
        self.evicted
            .extend(folded.evicted.into_iter().map(|it| it.id));
        for (partition, progress) in folded.partitions {
            let records = progress.outgoing.into_iter();
            self.outbox
                .extend(records.map(|record| (partition, record)));
        }
        Ok(())
    }

    pub(super) fn waiting(&self) -> Vec<usize> {
        (0..PARTITIONS)
            .filter(|partition| !self.queues[*partition].is_empty())
            .collect()
    }

    pub(super) fn publish(&mut self) -> Result<(), TestCaseError> {
        for (_, record) in std::mem::take(&mut self.outbox) {
            match &*record.topic {
                "lead.inputs" => self.produce(&record.key, &record.value, PARTITIONS),
                "lead.events" => {
                    let event: LeadEvent = decode(&record.value).unwrap();
                    self.is_of_the_living(&event)?;
                    self.events.push(event);
                }
                "lead.replies" => {
                    let reply: Reply = decode(&record.value).unwrap();
                    self.is_said_to_the_living(&reply)?;
                    self.replies.push(reply);
                }
                "lead.inputs.dead-letters" if self.fixture.journal < LONG => {}
                other => prop_assert!(false, "a record for {}", other),
            }
        }
        Ok(())
    }

    /// Checks that a refold of each journal gives its conversation, whatever was evicted.
    pub(super) fn journals_agree(&self) -> Result<(), TestCaseError> {
        let flows = &self.fixture.flows;
        for lead in self.leads.values() {
            let journal = &lead.journal;
            let mut steps = journal.replay(flows).unwrap();
            let Some(mut last) = steps.pop().map(|step| step.after) else {
                continue;
            };
            if let Some(fired) = journal.fired(flows).unwrap().last() {
                fire_due_timers(flows.get(&last.flow).unwrap(), &mut last, fired.due);
            }
            prop_assert_eq!(journal.conversation(), Some(&last));
        }
        Ok(())
    }

    /// Checks that a replay with the same versions changes no lead, and that it holds only those whose
    /// history is not complete.
    pub(super) fn replays_differ_nowhere(&self, timed: bool) -> Result<(), TestCaseError> {
        let flows = &self.fixture.flows;
        let itself = if timed { &time::ITSELF } else { flows };
        for lead in self.leads.values() {
            let Some(evaluation) = lead.evaluate(flows, itself, time::END).unwrap() else {
                continue;
            };
            prop_assert_eq!(&evaluation.kinds, &[]);
            prop_assert_eq!(&evaluation.misread_at, &None);
            match &evaluation.after {
                Some(after) => {
                    prop_assert_eq!(after, &evaluation.before);
                    prop_assert_eq!(evaluation.hold, None);
                }
                None => {
                    let reasons = [HoldReason::History, HoldReason::Merged];
                    prop_assert!(evaluation.hold.is_some_and(|it| reasons.contains(&it)));
                }
            }
        }
        Ok(())
    }

    /// Returns the lead that has `id`, following every merge.
    pub(super) fn lead_of(&self, id: &str) -> Option<(&LeadId, &Lead)> {
        let mut at = self.identities.get(id)?;
        loop {
            let (lead_id, lead) = self.leads.get_key_value(at)?;
            match &lead.merged_into {
                Some(survivor) => at = survivor,
                None => return Some((lead_id, lead.as_ref())),
            }
        }
    }
}
